"""The load generator against endpoints whose answers are known."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import orjson
import pytest

from deploy.bench.serving.alternate import Plan, Target, alternate
from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.report import Ratio, Spread, Summary, as_json, model_rows, rows
from deploy.bench.serving.result import Result, result_of
from deploy.bench.serving.stub import serve
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
    return Endpoint(Address.of(url, None), seconds)


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


@pytest.mark.parametrize("pace", [Pace(concurrency=4), Pace(rate=2000.0)])
async def test_every_request_is_answered_and_counted(pace: Pace) -> None:
    async with stub() as url:
        found = await run(endpoint(url), MIX, ("a", "b"), pace, 60)
    assert len(found.results) == 60
    assert all(result.error is None and result.tokens == 5 for result in found.results)
    streamed = [result for result in found.results if result.first is not None]
    assert 0 < len(streamed) < 60
    assert all(0 < (result.first or 0) <= result.seconds for result in streamed)


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


def test_a_stream_without_text_or_without_its_end_is_an_error() -> None:
    ask = Ask("a", True, b"")

    def error(body: bytes) -> str | None:
        return result_of(ask, Answer(200, bytearray(body), [(1.0, len(body))]), 0.0, 1.0).error

    assert error(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n') == "the stream broke off"
    assert error(b'data: {"error":{"code":500}}\n\ndata: [DONE]\n\n') == "an error in the stream"
    assert (
        error(b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\ndata: [DONE]\n\n') == "an empty answer"
    )
    assert error(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n') is None


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://here", "http://"])
def test_an_address_that_is_none_is_said_to_be(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Address.of(url, None)


async def test_two_endpoints_alternate_and_get_the_same_requests() -> None:
    fakes = FakeVLLM(models={"a"}), FakeVLLM(models={"b"})
    said: list[str] = []
    plan = Plan(Mix(("a",)), Pace(concurrency=2), requests=4, rounds=2, warm_up=1, timeout=30)
    async with serving(fakes[0].app) as first, serving(fakes[1].app) as second:
        targets = [Target(first, None, ("a",)), Target(second, None, ("b",))]
        runs = await alternate(targets, plan, said.append)
    assert [[len(one.results) for one in found] for found in runs] == [[4, 4], [4, 4]]
    texts = [sorted(body["messages"][0]["content"] for body in fake.requests) for fake in fakes]
    assert texts[0] == texts[1]
    turns = [line.rpartition(" on ")[2].partition(": ")[0] for line in said if line.startswith("round")]
    assert list(
        dict.fromkeys(zip(turns, [line[:7] for line in said if line.startswith("round")], strict=True))
    ) == [
        (first, "round 1"),
        (second, "round 1"),
        (second, "round 2"),
        (first, "round 2"),
    ]


def test_a_summary_by_hand(tmp_path: Path) -> None:
    """Two rounds of 2 s: 3 and 1 answers, one error. 1.5 and 0.5 requests/s, and 1 on average."""
    good = [Result("a", 0.1 * n, first=0.05, gaps=(0.01, 0.03), per_token=0.02, tokens=10) for n in (1, 2, 3)]
    bad = Result("b", 0.5, error="HTTP 429")
    first = Summary.of("one", [Run(2.0, tuple(good), 0.0), Run(2.0, (good[0], bad), 0.02)])
    assert (first.requests, first.throughput, first.by_round) == (5, 1.0, [1.5, 0.5])
    assert first.tokens == 10.0
    assert first.errors == {"HTTP 429": 1}
    assert first.lag_ms == 20.0
    assert first.times.end_to_end == Spread(150.0, 270.0, 297.0)  # of 100, 200, 300, 100
    assert first.by_model["b"].end_to_end is None
    second = Summary.of("two", [Run(1.0, tuple(good), 0.0), Run(1.0, tuple(good[:1]), 0.0)])
    assert Ratio.of(first, second) == Ratio(0.5, 0.5, 0.5)
    assert rows([first])[3] == ["errors", "1 of 5 (1 HTTP 429)"]
    assert model_rows([first, second])[1] == ["b", "0", "-", "-", "0", "-", "-"]
    assert orjson.loads(orjson.dumps(as_json({}, [first, second])))["throughput_ratio"]["median"] == 0.5
