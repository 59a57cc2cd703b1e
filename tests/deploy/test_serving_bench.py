"""The load generator against endpoints whose answers are known."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from deploy.bench.serving.alternate import Plan, Target, alternate
from deploy.bench.serving.compare import Over, measures, throughput
from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.picture import draw
from deploy.bench.serving.report import Outcome, Spread, Summary
from deploy.bench.serving.result import Result, result_of
from deploy.bench.serving.stub import serve
from deploy.bench.serving.tables import as_json, compared_rows, model_rows, outcome_rows, rows
from deploy.bench.serving.traffic import Ask, Mix, asks
from deploy.bench.serving.wire import Address, Answer, Connection, Endpoint, WireError
from tests.service.fake_vllm import FakeVLLM
from tests.service.loopback import serving

MIX = Mix(models=("a", "b"), prompt_words=(3, 5), max_tokens=(4, 6), stream=0.5)


@asynccontextmanager
async def stub(every: float = 0.0) -> AsyncGenerator[str, None]:
    server = await serve(("a", "b"), tokens=5, every=every, port=0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def endpoint(url: str, seconds: float = 30.0) -> Endpoint:
    return Endpoint(Address.of(url), seconds)


def test_a_seed_and_a_part_always_ask_the_same_and_lengths_keep_their_bounds() -> None:
    first, again, other = (list(islice(asks(MIX, ("x", "y"), part), 200)) for part in (0, 0, 1))
    assert first == again
    assert first != other
    bodies = [orjson.loads(ask.body) for ask in first]
    assert {len(body["messages"][0]["content"].split()) for body in bodies} == {3, 4, 5}
    assert {body["max_tokens"] for body in bodies} == {4, 5, 6}
    assert {(ask.model, body["model"]) for ask, body in zip(first, bodies, strict=True)} == {
        ("a", "x"),
        ("b", "y"),
    }
    assert all(body["stream"] is ask.stream for ask, body in zip(first, bodies, strict=True))


def test_zipf_makes_the_first_model_the_most_popular() -> None:
    mix = Mix(models=("a", "b", "c"), zipf=1.0, prompt_words=(1, 1))
    counts = Counter(ask.model for ask in islice(asks(mix, mix.models), 1100))
    assert [round(counts[model] / 100) for model in "abc"] == [6, 3, 2]  # 1 : 1/2 : 1/3 of 11


def test_shared_beginnings_are_the_same_in_every_round_and_differ_by_endpoint() -> None:
    mix = Mix(models=("a",), prompt_words=(1, 1), prefix_words=6, prefixes=2)

    def shared(part: int, place: int) -> set[str]:
        bodies = [orjson.loads(ask.body) for ask in islice(asks(mix, ("a",), part, place=place), 40)]
        assert all([message["role"] for message in body["messages"]] == ["system", "user"] for body in bodies)
        return {body["messages"][0]["content"] for body in bodies}

    assert shared(0, 0) == shared(1, 0)
    assert len(shared(0, 0)) == 2
    assert not shared(0, 0) & shared(0, 1)


def test_callers_ask_by_zipf_and_a_share_has_the_headers() -> None:
    mix = Mix(models=("a",), callers=2, caller_zipf=3.0, headed=0.25)
    first = list(islice(asks(mix, ("a",)), 900))
    assert sum(ask.caller == 1 for ask in first) == pytest.approx(100, abs=35)  # 8 : 1
    assert sum(ask.headed for ask in first) == pytest.approx(225, abs=50)
    assert all((ask.model == "a + header") is ask.headed for ask in first)


def test_tools_and_routing_have_their_shares_and_labels_of_their_own() -> None:
    mix = Mix(models=("a",), prompt_words=(1, 1), tools=0.25, routed=0.5)
    first = list(islice(asks(mix, ("x",), auto=True), 1000))
    bodies = [orjson.loads(ask.body) for ask in first]
    assert sum(len(body.get("tools", [])) == 2 for body in bodies) == pytest.approx(250, abs=50)
    assert sum(body["model"] == "auto" for body in bodies) == pytest.approx(500, abs=60)
    assert all((body["model"] == "auto") is ask.routed for ask, body in zip(first, bodies, strict=True))
    assert {ask.model for ask in first} == {"a", "a + tools", "auto", "auto + tools"}
    second = list(islice(asks(mix, ("y",)), 1000))  # an endpoint that does not route gets the same by name
    others = [orjson.loads(ask.body) for ask in second]
    assert {body.pop("model") for body in others} == {"y"}
    assert [{**body, "model": None} for body in bodies] == [{**body, "model": None} for body in others]


def test_prompts_are_drawn_from_what_is_given() -> None:
    mix = Mix(models=("a",), prompts=("Where is it?", "34 + 28"))
    bodies = [orjson.loads(ask.body) for ask in islice(asks(mix, ("a",)), 50)]
    assert {body["messages"][0]["content"] for body in bodies} == {"Where is it?", "34 + 28"}


@pytest.mark.parametrize("burst", [0.5, 1.0, 3.0])
def test_requests_come_as_often_and_as_unevenly_as_is_said(burst: float) -> None:
    gaps = np.diff(Pace(rate=50.0, burst=burst).times(40_000, [0]))
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(burst, rel=0.05)


@pytest.mark.parametrize("burst", [0.0, 1.0, 3.0])
def test_a_round_by_time_has_the_requests_that_come_in_it(burst: float) -> None:
    pace = Pace(rate=50.0, burst=burst)
    many = pace.times(5_000, [1])
    within = pace.times_within(20.0, [1])
    assert within == [time for time in many if time <= 20.0]
    assert 100 < len(within) < 5_000
    assert pace.times_within(1e-9, [1]) == many[:1]


def test_an_even_beat() -> None:
    assert Pace(rate=4.0, burst=0.0).times(3, [0]) == [0.25, 0.5, 0.75]


async def test_a_routed_request_is_told_by_what_answered() -> None:
    fake = FakeVLLM(models={"auto", "a"})

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"X-Pointsman-Adapter", b"support@0a")]
            await send(message)

        await fake.app(scope, receive, named)

    async with serving(gateway) as url:
        mix, pace = Mix(("a",), prompt_words=(1, 1), routed=0.5, stream=0.5), Pace(concurrency=2)
        found = await run(endpoint(url), mix, ("a",), pace, 40, auto=True)
    assert {result.model for result in found.results} == {"a", "auto → support@0a"}
    assert {result.error for result in found.results} == {None}


async def test_errors_are_told_by_model_and_their_times_by_status() -> None:
    fake = FakeVLLM(models={"a"})
    async with serving(fake.app) as url:
        pace = Pace(rate=1_000.0, burst=2.0)
        found = await run(endpoint(url), MIX, ("a", "b"), pace, 40)
    summary = Summary.of("here", [found])
    asked = Counter(body["model"] for body in fake.requests)
    assert summary.errors == summary.by_model["b"].errors == {"HTTP 404": asked["b"]}
    assert (summary.by_model["a"].answered, summary.by_model["a"].errors) == (asked["a"], {})
    assert [(name, one.count) for name, one in summary.by_outcome.items()] == [
        ("HTTP 200", asked["a"]),
        ("HTTP 404", asked["b"]),
    ]
    assert [row[:3] for row in outcome_rows([summary])] == [
        ["HTTP 200", "here", str(asked["a"])],
        ["HTTP 404", "here", str(asked["b"])],
    ]
    assert all(result.at > 0 for result in found.results)


@pytest.mark.parametrize("pace", [Pace(concurrency=4), Pace(rate=2000.0)])
async def test_every_request_is_answered_and_counted(pace: Pace) -> None:
    async with stub() as url:
        found = await run(endpoint(url), MIX, ("a", "b"), pace, 60)
    assert len(found.results) == 60
    assert all(result.error is None and result.tokens == 5 for result in found.results)
    streamed = [result for result in found.results if result.first is not None]
    assert 0 < len(streamed) < 60
    assert all(0 < (result.first or 0) <= result.seconds for result in streamed)


@pytest.mark.parametrize("pace", [Pace(concurrency=4), Pace(rate=400.0)])
async def test_a_round_may_be_so_many_seconds_long(pace: Pace) -> None:
    """A token each 50 ms: who is asked before the end is answered behind it."""
    async with stub(every=0.05) as url:
        found = await run(endpoint(url), MIX, ("a", "b"), pace, None, seconds=0.3)
    assert len(found.results) >= 8
    assert all(result.error is None for result in found.results)
    assert all(result.at <= 0.3 for result in found.results)
    assert found.seconds > 0.3


def test_a_stream_is_timed_from_its_first_text_to_its_last() -> None:
    """Asked at 10.0; the role comes at 10.1, texts at 10.2, 10.3 and 10.5, usage and end with the last."""
    pieces = [b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n']
    pieces += [b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'] * 3
    pieces[-1] += b'data: {"choices":[],"usage":{"completion_tokens":4}}\n\ndata: [DONE]\n\n'
    answer = Answer(200)
    for when, piece in zip((10.1, 10.2, 10.3, 10.5), pieces, strict=True):
        answer.body += piece
        answer.chunks.append((when, len(answer.body)))
    result = result_of(Ask("a", True, b""), answer, 10.0, 10.5)
    assert result.error is None
    assert result.tokens == 4
    assert result.first == pytest.approx(0.2)
    assert result.gaps == pytest.approx((0.1, 0.2))
    assert result.per_token == pytest.approx(0.1)
    assert result.seconds == pytest.approx(0.5)


def test_what_ends_a_stream_is_no_gap() -> None:
    """Texts at 1.0, 1.5 and 2.0, in pieces that are cut anywhere; the finish, usage and end follow at 2.0."""
    text = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    finish = b'data: {"choices":[{"delta":{"content":""},"finish_reason":"length"}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"completion_tokens":3}}\n\n'
    for last in ((finish, usage, b"data: [DONE]\n\n"), (finish, b"data: [DONE]\n\n"), (b"data: [DONE]\n\n",)):
        answer = Answer(200)
        times = (1.0, 1.5, 2.0, *(2.01 for _ in last))
        for when, piece in zip(times, (text, text, text, *last), strict=True):
            answer.body += piece
            answer.chunks.append((when, len(answer.body)))
        result = result_of(Ask("a", True, b""), answer, 0.0, 2.1)
        assert (result.error, result.tokens) == (None, 3)
        assert (result.first, result.gaps, result.per_token) == (1.0, (0.5, 0.5), 0.5)


async def test_an_endpoint_may_send_token_by_token() -> None:
    async with stub(every=0.001) as url:
        found = await run(endpoint(url), Mix(("a",)), ("a",), Pace(concurrency=1), 1)
    assert [(result.error, result.tokens) for result in found.results] == [(None, 5)]


async def test_errors_are_results_by_kind() -> None:
    fake = FakeVLLM(models={"a"})
    async with serving(fake.app) as url:
        refused = await run(endpoint(url), Mix(("b",)), ("b",), Pace(concurrency=2), 2)
        fake.break_after = 1
        broken = await run(endpoint(url), Mix(("a",)), ("a",), Pace(concurrency=1), 1)
        fake.break_after, fake.gate = None, asyncio.Event()
        (silent,) = (await run(endpoint(url, 0.1), Mix(("a",)), ("a",), Pace(concurrency=1), 1)).results
        fake.gate.set()
    gone = await run(endpoint(url), Mix(("a",)), ("a",), Pace(concurrency=1), 1)
    kinds = [{result.error for result in found.results} for found in (refused, broken, gone)]
    assert kinds == [{"HTTP 404"}, {"the connection broke"}, {"no connection"}]
    assert str(silent.error).endswith("in time")


async def test_connections_are_kept_and_a_dead_or_idle_one_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stub() as url:
        client = endpoint(url)
        body = next(asks(MIX, ("a", "b"))).body

        async def used() -> Connection:
            assert (await client.ask(body)).status == 200
            ((connection, _),) = client._idle
            return connection

        first = await used()
        assert await used() is first
        first.close()
        second = await used()
        assert second is not first
        monkeypatch.setattr("deploy.bench.serving.wire._IDLE_SECONDS", 0.0)  # its server may be hanging up
        assert await used() is not second
        assert not second.usable
        client.close()
    with pytest.raises(WireError, match="no connection"):
        await client.ask(body)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://here", "http://"])
def test_an_address_that_is_none_is_said_to_be(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Address.of(url)


async def test_endpoints_take_turns_and_get_requests_of_one_kind() -> None:
    fakes = [FakeVLLM(models={name}) for name in "abc"]
    said: list[str] = []
    plan = Plan(Mix(("a",), prompt_words=(3, 90)), Pace(concurrency=1), 4, rounds=4, warm_up=1, timeout=30)
    async with AsyncExitStack() as held:
        urls = [await held.enter_async_context(serving(fake.app)) for fake in fakes]
        targets = [Target(url, (name,)) for url, name in zip(urls, "abc", strict=True)]
        runs = await alternate(targets, plan, said.append)
    assert [[len(one.results) for one in found] for found in runs] == [[4, 4, 4, 4]] * 3
    texts = [[body["messages"][0]["content"] for body in fake.requests] for fake in fakes]
    lengths = [[len(text.split()) for text in one] for one in texts]
    assert lengths[0] == lengths[1] == lengths[2]
    assert not set(texts[0]) & set(texts[1])  # an engine behind both has read none of the others'
    turns = [line.rpartition(" on ")[2].partition(": ")[0] for line in said if line.startswith("round")]
    begun = dict.fromkeys(zip([line[:7] for line in said if line.startswith("round")], turns, strict=True))
    assert [("abc"[urls.index(url)]) for _, url in begun] == [*"abc", *"bca", *"cab", *"abc"]


def test_a_summary_by_hand(tmp_path: Path) -> None:
    """Two rounds of 2 s: 3 and 1 answers, one refused after 0.5 s. 1.5 and 0.5 requests/s, so 1."""
    good = [Result("a", 0.1 * n, first=0.05, gaps=(0.01, 0.03), per_token=0.02, tokens=10) for n in (1, 2, 3)]
    bad = Result("b", 0.5, error="HTTP 429")
    runs = [Run(2.0, tuple(good), 0.0), Run(2.0, (good[0], bad), 0.02)]
    first = Summary.of("one", runs)
    assert (first.requests, first.throughput, first.by_round) == (5, 1.0, [1.5, 0.5])
    assert first.tokens == 10.0
    assert first.errors == {"HTTP 429": 1}
    assert first.lag_ms == 20.0
    assert first.times.end_to_end == Spread(150.0, 270.0, 297.0)  # of 100, 200, 300, 100
    assert first.by_model["b"].end_to_end is None
    assert first.by_outcome["HTTP 429"] == Outcome(1, Spread(500.0, 500.0, 500.0))
    table = {row[0]: row[1] for row in rows([first]) if row[0] != "  by round"}
    assert table["errors"] == "1 of 5 (1 HTTP 429)"
    assert rows([first])[-1] == ["  by round", "100.0 to 200.0 / 100.0 to 280.0 / 100.0 to 298.0"]
    second_runs = [Run(1.0, tuple(good), 0.0), Run(1.0, tuple(good[1:]), 0.0)]
    second = Summary.of("two", second_runs)
    assert [row[:4] for row in model_rows([first, second])] == [
        ["a", "one", "4", "0"],
        ["a", "two", "5", "0"],
        ["b", "one", "0", "1 HTTP 429"],
    ]
    assert throughput(first, second) == Over(0.375, 0.25, 0.5)  # 1.5 by 3, 0.5 by 2
    half, *_ = [one for one in measures(first, second) if one.name == "end to end, p50"]
    assert half.ratio == Over(0.7, 0.4, 1.0)  # 200 by 200, 100 by 250
    assert half.more_ms == Over(-75.0, -150.0, 0.0)
    assert dict(compared_rows([first, second]))["end to end, p50"] == (
        "0.70 (0.40 to 1.00), -75.0 ms (-150.0 to +0.0)"
    )
    numbers = orjson.loads(orjson.dumps(as_json({}, [first, second])))
    assert numbers["first_by"]["two"][0] == {
        "name": "requests/s",
        "ratio": {"median": 0.375, "lowest": 0.25, "highest": 0.5},
        "more_ms": None,
    }
    draw("a title", [(first, runs), (second, second_runs)], tmp_path / "picture")
    assert (tmp_path / "picture").read_bytes().startswith(b"\x89PNG")


def test_an_endpoint_that_answered_nothing_is_compared_with_nothing(tmp_path: Path) -> None:
    runs = [Run(1.0, (Result("a", 0.1, first=0.05),), 0.0)]
    none = [Run(1.0, (Result("a", 0.1, error="no connection"),), 0.0)]
    first, second = Summary.of("one", runs), Summary.of("two", none)
    assert throughput(first, second) is None
    assert compared_rows([first, second]) == []
    draw("a title", [(first, runs), (second, none)], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").exists()
