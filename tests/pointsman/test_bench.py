"""`pointsman bench` as a person meets it: tables, files, and what it says to a wrong question."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from deploy.bench.serving.stub import serve
from tests.pointsman.conftest import Run


@pytest.fixture(scope="module")
def url() -> Generator[str, None, None]:
    """An endpoint that answers at once, in a thread."""
    loop, ready, where = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def begin() -> None:
        server = await serve(("support", "math"), tokens=3, every=0.0, port=0)
        where.append(server.sockets[0].getsockname()[1])
        ready.set()

    def live() -> None:
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(30)
    yield f"http://127.0.0.1:{where[0]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


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


def test_two_endpoints_and_their_ratio(run: Run, url: str) -> None:
    against = ("--against", url + "/v1", "--against-model", "math", "--rounds", "2")
    shown = run("bench", "--url", url, "--model", "support", *QUICK, *against)
    assert shown.exit_code == 0, shown.output
    assert "throughput of the first by the second's" in shown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which model? give --model"),
        (("--model", "maths"), "does not have the model 'maths'; it has support, math"),
        (("--model", "math", "--rate", "1", "--concurrency", "1"), "exclude each other"),
        (("--model", "math", "--max-tokens", "9:3"), "--max-tokens '9:3': give a number"),
        (("--model", "math", "--against-model", "math"), "need --against"),
        (("--model", "math", "--png", "/no/such/folder/a.png"), "does not exist"),
        (("--model", "math", "--url", "http://127.0.0.1:1"), "nothing answers at http://127.0.0.1:1"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_asked(
    run: Run, url: str, words: tuple[str, ...], said: str
) -> None:
    shown = run("bench", "--url", url, *words)
    assert shown.exit_code == 2
    assert said in " ".join(shown.output.split())
