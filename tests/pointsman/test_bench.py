"""`pointsman bench` as a person meets it: tables, files, and what it says to a wrong question."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from deploy.bench.serving.stub import serve
from tests.pointsman.conftest import Run
from tests.service.fake_vllm import FakeVLLM
from tests.service.loopback import serving


@contextmanager
def in_a_thread(begin: Callable[[], AbstractAsyncContextManager[str]]) -> Generator[str, None, None]:
    """A server that runs beside the command, which has an event loop of its own."""
    loop, ready, end, where = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), list[str]()

    async def live() -> None:
        async with begin() as url:
            where.append(url)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    assert ready.wait(30)
    yield where[0]
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


@asynccontextmanager
async def stub() -> AsyncGenerator[str, None]:
    """An endpoint that answers at once."""
    async with await serve(("support", "math", "auto"), tokens=3, every=0.0, port=0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(scope="module")
def url() -> Generator[str, None, None]:
    with in_a_thread(stub) as found:
        yield found


QUICK = ("--requests", "12", "--warm-up", "1", "--prompt-words", "2:4")


def test_a_table_a_picture_and_all_numbers(run: Run, url: str, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "n.json"), "--png", str(tmp_path / "n.png"))
    shown = run("bench", "--url", url, "--model", "support", "--model", "math", *QUICK, *files)
    assert shown.exit_code == 0, shown.output
    assert "0 of 12" in shown.output
    numbers = json.loads((tmp_path / "n.json").read_text("utf-8"))
    assert numbers["traffic"]["mix"]["models"] == ["support", "math"]
    (endpoint,) = numbers["endpoints"]
    assert endpoint["requests"] == 12
    assert endpoint["throughput"] > 0
    assert sum(times["answered"] for times in endpoint["by_model"].values()) == 12
    assert (tmp_path / "n.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("come", [("--concurrency", "2"), ("--rate", "200")])
def test_a_round_by_time(run: Run, url: str, tmp_path: Path, come: tuple[str, ...]) -> None:
    words = ("--duration", "0.2", "--rounds", "2", "--warm-up", "1", "--prompt-words", "2:4")
    files = ("--json", str(tmp_path / "n.json"), "--png", str(tmp_path / "n.png"))
    shown = run("bench", "--url", url, "--model", "support", *come, *words, *files)
    assert shown.exit_code == 0, shown.output
    numbers = json.loads((tmp_path / "n.json").read_text("utf-8"))
    assert (numbers["traffic"]["requests"], numbers["traffic"]["seconds"]) == (None, 0.2)
    assert numbers["endpoints"][0]["requests"] > 10


def test_two_endpoints_and_their_ratio(run: Run, url: str) -> None:
    against = ("--against", url + "/v1", "--against-model", "math", "--rounds", "2")
    shown = run("bench", "--url", url, "--model", "support", *QUICK, *against)
    assert shown.exit_code == 0, shown.output
    assert "the first by" in shown.output
    assert shown.output.count("by round") == 5
    assert " ms (" in shown.output


def test_one_endpoint_beside_itself_asked_otherwise_and_another_one(
    run: Run, url: str, tmp_path: Path
) -> None:
    others = ("--against", url, "--against", url + "/v1", "--against-model", "math")
    shown = run("bench", "--url", url, "--model", "support", *QUICK, *others, "--json", tmp_path / "n.json")
    assert shown.exit_code == 0, shown.output
    numbers = json.loads((tmp_path / "n.json").read_text("utf-8"))
    assert list(numbers["first_by"]) == [f"{url} (math)", url + "/v1"]


def test_rows_of_two_endpoints_differ_on_a_narrow_terminal(run: Run, url: str) -> None:
    models = ("--model", "support", "--model", "math", "--against", url + "/v1")
    shown = run("bench", "--url", url, *models, *QUICK, env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    assert f"1 is {url}\n2 is {url}/v1\n" in shown.output
    for model in ("support", "math"):
        rows = [line for line in shown.output.splitlines() if line.startswith(f"│ {model} ")]
        assert [row.split("│")[2].strip() for row in rows] == ["1", "2"]


def test_a_mix_with_tools_and_routed_requests_in_bursts(run: Run, url: str, tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    asked.write_text("Where is my parcel?\n\n34 + 28\n", "utf-8")
    mix = ("--tools", "0.5", "--routed", "0.5", "--prompts", asked, "--rate", "1000", "--burst", "3")
    files = ("--json", tmp_path / "n.json")
    shown = run("bench", "--url", url, "--model", "support", "--requests", "40", *mix, *files)
    assert shown.exit_code == 0, shown.output
    numbers = json.loads((tmp_path / "n.json").read_text("utf-8"))
    (endpoint,) = numbers["endpoints"]
    assert set(endpoint["by_model"]) == {"support", "support + tools", "auto", "auto + tools"}
    assert (numbers["traffic"]["mix"]["prompts"], numbers["traffic"]["pace"]["burst"]) == (2, 3)
    assert "auto + tools" in shown.output


def test_who_was_refused_is_told_with_the_status_and_its_time(run: Run) -> None:
    fake = FakeVLLM(models={"support"}, refuse=(429, "full"))
    with in_a_thread(lambda: serving(fake.app)) as url:
        shown = run("bench", "--url", url, "--model", "support", *QUICK)
    assert shown.exit_code == 1
    assert "12 of 12 (12 HTTP 429)" in shown.output
    (line,) = [line for line in shown.output.splitlines() if "│ HTTP 429" in line]
    assert "HTTP 429 of 1: full" in shown.output
    assert re.search(r"│ 1 +│ 12 +│ [\d.]+ / [\d.]+ / [\d.]+ ", line)


def test_who_refuses_stream_options_is_told_how_to_go_without(run: Run) -> None:
    fake = FakeVLLM(models={"support"}, refuse=(400, "unknown field: stream_options"))
    with in_a_thread(lambda: serving(fake.app)) as url:
        shown = run("bench", "--url", url, "--model", "support", *QUICK)
    assert shown.exit_code == 1
    assert "HTTP 400 of 1: unknown field: stream_options" in shown.output
    assert "can be asked without: --no-usage" in shown.output


def test_a_file_that_is_there_is_written_over_and_one_that_fails_at_the_end_is_told(
    run: Run, url: str, tmp_path: Path
) -> None:
    (tmp_path / "n.json").write_text("old", "utf-8")
    ask = ("bench", "--url", url, "--model", "support", *QUICK)
    assert run(*ask, "--json", tmp_path / "n.json").exit_code == 0
    assert json.loads((tmp_path / "n.json").read_text("utf-8"))["endpoints"]
    full = run(*ask, "--json", "/dev/full")
    assert full.exit_code == 1
    assert "No space left" in full.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which model? give --model"),
        (("--model", "maths"), "does not have the model 'maths'; it has support, math"),
        (("--model", "math", "--rate", "1", "--concurrency", "1"), "exclude each other"),
        (("--model", "math", "--max-tokens", "9:3"), "--max-tokens '9:3': give a number"),
        (("--model", "math", "--against-model", "math"), "need --against"),
        (("--model", "math", "--header-share", "0.5"), "is about --header: give it too"),
        (("--model", "math", "--key-zipf", "1"), "repeat --api-key"),
        (("--model", "math", "--prefixes", "2"), "needs --prefix-words"),
        (
            ("--model", "math", "--api-key", "a", "--header", "Authorization=Basic b"),
            "are the same header: leave one out",
        ),
        (
            (*("--model", "math", "--against", "http://127.0.0.1:1"), *("--against-api-key", "a") * 2),
            "2 --against-api-key for 0 --api-key: give one for all, or one for each",
        ),
        (("--model", "math", "--burst", "3"), "give --rate too"),
        (("--model", "math", "--duration", "3", "--requests", "8"), "both say how long a round is: give one"),
        (
            ("--model", "math", "--duration", "3", "--rate", "0.3"),
            "--duration 3: at --rate 0.3 no request comes in it: give a longer one",
        ),
        (("--model", "math", "--prompts", "/no/such/file"), "can't be read (No such file or directory)"),
        (("--model", "math", "--prompts", "/dev/null"), "it has no line"),
        (("--model", "math", "--png", "/no/such/folder/a.png"), "does not exist"),
        (("--model", "math", "--json", "/dev/null/n.json"), "does not exist"),
        (("--model", "math", "--json", "/tmp"), "can't be written (Is a directory)"),
        (("--model", "math", "--json", "/proc/n.json"), "it can't be written"),
        (("--model", "math", "--url", "http://127.0.0.1:1"), "nothing answers at http://127.0.0.1:1"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_asked(
    run: Run, url: str, words: tuple[str, ...], said: str
) -> None:
    shown = run("bench", "--url", url, *words)
    assert shown.exit_code == 2
    assert said in " ".join(shown.output.split())


WRONG = {
    ("--url", "localhost"): "--url 'localhost': is no address of a server: give http://HOST:PORT",
    ("--against", "http://[::1"): "--against 'http://[::1': is no address of a server",
    ("--against", "http://a:99999"): "--against 'http://a:99999': is no address of a server",
    ("--api-key", "se\ncret"): "--api-key: the key has signs that no header can have",
    ("--header", "secret"): "--header: give NAME=VALUE, such as",
    ("--header", "host=secret"): "--header host: it is the bench's own to set",
    ("--header", "x-one=sec\nret"): "--header x-one: its value has signs that no header can have",
    ("--prefix-words", "-1"): "--prefix-words -1: give a number from 0 to 100000",
    ("--model", ""): "--model '': is no name",
    ("--against-model", " "): "--against-model ' ': is no name",
    ("--rate", "inf"): "--rate inf: give a number from 0.01 on",
    ("--burst", "21"): "--burst 21: give a number from 0 to 20",
    ("--zipf", "-1"): "--zipf -1: give a number from 0 on",
    ("--stream", "nan"): "--stream nan: give a number from 0 to 1",
    ("--concurrency", "0"): "--concurrency 0: give a number from 1 on",
    ("--duration", "0"): "--duration 0: give a number from 0.1 on",
    ("--timeout", "0"): "--timeout 0: give a number from 0.1 on",
    ("--prompt-words", "9999999"): "--prompt-words '9999999': give a number from 1 to 1,000,000",
    ("--prompts", "/nope"): "--prompts /nope: it can't be read (No such file or directory): name a text file",
    ("--png", "x.txt"): "--png x.txt: it is written as .png: name a file that ends so",
    ("--json", "/nope/x"): "--json /nope/x: the folder /nope does not exist: make it",
}


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake = FakeVLLM(models={"support"})
    with in_a_thread(lambda: serving(fake.app)) as url:
        shown = run("bench", "--against", url, *(word for option in WRONG for word in option))
    assert shown.exit_code == 2
    first, *lines = shown.stderr.splitlines()
    assert first == f"error: {len(lines)} problems"
    for said in WRONG.values():
        assert any(line.strip().startswith(said) for line in lines), said
    assert not re.search("se.?c.?ret", shown.stderr, re.DOTALL)
    assert len(lines) == len(WRONG) + 1  # and that --rate and --concurrency exclude each other
    assert fake.requests == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "-inf"])
def test_a_rate_that_is_none_is_refused_before_anybody_is_looked_for(run: Run, rate: str) -> None:
    shown = run("bench", "--url", "http://127.0.0.1:1", "--model", "m", f"--rate={rate}")
    assert (shown.exit_code, shown.stderr) == (2, f"error: --rate {rate}: give a number from 0.01 on\n")


def test_who_lists_no_models_is_asked_as_named(run: Run) -> None:
    fake = FakeVLLM(models={"support"})
    app = Starlette(routes=[route for route in fake.app.routes if "/chat/" in getattr(route, "path", "")])
    with in_a_thread(lambda: serving(app)) as url:
        shown = run("bench", "--url", url, "--model", "support", *QUICK)
        unnamed = run("bench", "--url", url, *QUICK)
    assert shown.exit_code == 0, shown.output
    assert f"{url} lists no models (HTTP 404 at /v1/models): asked as named" in shown.output
    assert "0 of 12" in shown.output
    assert unnamed.exit_code == 2
    assert len(fake.requests) == 12 + 1


def test_callers_headers_and_shared_beginnings_reach_the_server(run: Run, tmp_path: Path) -> None:
    fake = FakeVLLM(models={"support"})
    seen: list[tuple[str, str | None, int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["path"].endswith("/completions"):
            seen.append((headers["authorization"], headers.get("x-one"), int(headers["content-length"])))
        await fake.app(scope, receive, send)

    keys = ("--api-key", "greedy", "--api-key", "quiet", "--key-zipf", "2")
    mix = ("--header", "x-one=1=2", "--header-share", "0.5", "--prefix-words", "9", "--prefixes", "3")
    ask = (*keys, *mix, "--no-usage", "--requests", "200", "--warm-up", "0", "--prompt-words", "2")
    with in_a_thread(lambda: serving(app)) as url:
        shown = run("bench", "--url", url, "--model", "support", *ask, "--json", tmp_path / "n.json")
    assert shown.exit_code == 0, shown.output
    (endpoint,) = json.loads((tmp_path / "n.json").read_text("utf-8"))["endpoints"]
    by_key = Counter(key for key, _, _ in seen)
    assert by_key["Bearer greedy"] == pytest.approx(160, abs=25)  # 1 : 1/4
    assert {key: times["answered"] for key, times in endpoint["by_key"].items()} == {
        "key 1": by_key["Bearer greedy"],
        "key 2": by_key["Bearer quiet"],
    }
    headed = sum(value == "1=2" for _, value, _ in seen)
    assert headed == pytest.approx(100, abs=30)
    assert {value for _, value, _ in seen} == {"1=2", None}
    assert endpoint["by_model"]["support + header"]["answered"] == headed
    shared = {body["messages"][0]["content"] for body in fake.requests}
    assert {body["messages"][0]["role"] for body in fake.requests} == {"system"}
    assert (len(shared), {len(text.split()) for text in shared}) == (3, {9})
    assert not any("stream_options" in body for body in fake.requests)
    assert "key 2" in shown.output
    assert "greedy" not in shown.output + (tmp_path / "n.json").read_text("utf-8")


def test_who_does_not_route_is_not_asked_to(run: Run) -> None:
    fake = FakeVLLM(models={"support"})
    with in_a_thread(lambda: serving(fake.app)) as url:
        shown = run("bench", "--url", url, "--model", "support", "--routed", "0.5")
    assert shown.exit_code == 2
    assert "none routes" in shown.output
    assert fake.requests == []
