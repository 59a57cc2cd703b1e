"""The router in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from typing import cast

import pytest

from router.batching import BATCH, CHARACTERS, BatchingRouter, Conversation, lanes
from router.deciding.decision import Decision
from router.encoding.beside import BesideEncoder
from router.encoding.encoder import TextEncoder, Vectors
from router.errors import EncoderError, RouterClosed
from router.router import Router


class Gated:
    """A router that answers with its name and the text, in batches that it remembers, when it is let."""

    def __init__(self, name: str = "old") -> None:
        self.name = name
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.started = threading.Event()
        self.go = threading.Event()

    def decide_many(self, conversations: Iterable[Conversation]) -> list[Decision]:
        texts = [str(messages[0]["content"]) for messages in conversations]
        self.batches.append(texts)
        self.threads.add(threading.current_thread().name)
        self.started.set()
        assert self.go.wait(10)
        if "fail" in texts:
            raise EncoderError("broken")
        return [Decision(self.name, 1.0, False, (), 0.5, (), text) for text in texts]

    encoder = cast(TextEncoder, None)

    def encoded_by(self, encoder: TextEncoder) -> Router:
        assert isinstance(encoder, BesideEncoder)
        return self.as_router()

    def as_router(self) -> Router:
        return cast(Router, self)


def ask(text: str) -> Conversation:
    return [{"role": "user", "content": text}]


async def begun(gated: Gated, batching: BatchingRouter, text: str) -> asyncio.Task[Decision]:
    """A request whose batch the worker thread has begun."""
    task = asyncio.create_task(batching.decide(ask(text)))
    await asyncio.to_thread(gated.started.wait, 10)
    return task


async def test_requests_that_arrive_together_are_decided_together() -> None:
    gated = Gated()
    async with BatchingRouter(gated.as_router()) as batching:
        first = await begun(gated, batching, "0")
        others = [asyncio.create_task(batching.decide(ask(str(n)))) for n in range(1, BATCH + 3)]
        await asyncio.sleep(0)
        gated.go.set()
        decisions = await asyncio.gather(first, *others)
    assert [decision.text for decision in decisions] == [str(n) for n in range(BATCH + 3)]
    assert [len(batch) for batch in gated.batches] == [1, BATCH, 2]
    assert len(gated.threads) == 1


async def test_a_long_text_is_the_last_of_its_batch() -> None:
    gated = Gated()
    long = "x" * CHARACTERS
    async with BatchingRouter(gated.as_router()) as batching:
        first = await begun(gated, batching, "0")
        others = [
            asyncio.create_task(batching.decide(ask(text))) for text in (long, long, "1", "2", long, "3")
        ]
        await asyncio.sleep(0)
        gated.go.set()
        await asyncio.gather(first, *others)
    assert gated.batches == [["0"], [long], [long], ["1", "2", long], ["3"]]


async def test_two_threads_decide_at_once() -> None:
    together = threading.Barrier(2, timeout=10)

    class Meeting(Gated):
        def decide_many(self, conversations: Iterable[Conversation]) -> list[Decision]:
            together.wait()  # passes only with both inside
            return super().decide_many(conversations)

    gated = Meeting()
    gated.go.set()
    async with BatchingRouter(gated.as_router(), lanes=3) as batching:
        decisions = await asyncio.gather(*(batching.decide(ask(str(n))) for n in range(2)))
        assert [decision.text for decision in decisions] == ["0", "1"]
        assert len(gated.threads) == 2


async def test_lanes_encode_what_two_threads_decide(small_router: Router) -> None:
    threads = set()

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(small_router.encoder, name)

        def encode(self, texts: Sequence[str]) -> Vectors:
            threads.add(threading.current_thread().name.split("_")[0])
            return small_router.encoder.encode(texts)

    watched = small_router.encoded_by(cast(TextEncoder, Watched()))
    texts = ("red apple", "wide river", "loud music", "green apple", "deep lake")
    async with BatchingRouter(watched, lanes=3) as batching:
        found = await asyncio.gather(*(batching.decide(ask(text)) for text in texts))
        assert batching.router is watched
    alone = [small_router.decide(ask(text)).intent for text in texts]
    assert [decision.intent for decision in found] == alone
    assert "encoder" in threads


async def test_more_long_texts_are_a_batch_where_more_are_encoded_at_once() -> None:
    gated = Gated()
    long = "x" * CHARACTERS
    async with BatchingRouter(gated.as_router(), lanes=2) as batching:
        first = [await begun(gated, batching, "0") for _ in range(2)]
        others = [asyncio.create_task(batching.decide(ask(long))) for _ in range(10)]
        await asyncio.sleep(0.01)
        gated.go.set()
        await asyncio.gather(*first, *others)
    assert sorted(map(len, gated.batches))[-1] == 4


async def test_a_lane_that_is_free_first_leaves_the_others_their_share() -> None:
    inside = threading.Semaphore(0)

    class Counted(Gated):
        def decide_many(self, conversations: Iterable[Conversation]) -> list[Decision]:
            inside.release()
            return super().decide_many(conversations)

    gated = Counted()
    async with BatchingRouter(gated.as_router(), lanes=2) as batching:
        first = [asyncio.create_task(batching.decide(ask("first"))) for _ in range(2)]
        for _ in first:
            await asyncio.to_thread(inside.acquire)
        rest = [asyncio.create_task(batching.decide(ask("rest"))) for _ in range(6)]
        await asyncio.sleep(0)
        gated.go.set()
        await asyncio.gather(*first, *rest)
    assert sorted(map(len, gated.batches)) == [1, 1, 1, 2, 3]


def test_lanes_follow_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, expected in ((1, 1), (2, 1), (16, 8), (64, 8)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert lanes() == expected


async def test_the_loop_is_free_while_the_thread_works() -> None:
    gated = Gated()
    async with BatchingRouter(gated.as_router()) as batching:
        task = await begun(gated, batching, "slow")
        assert not task.done()
        gated.go.set()
        assert (await task).text == "slow"


async def test_a_swap_takes_the_next_batch() -> None:
    old, new = Gated("old"), Gated("new")
    new.go.set()
    async with BatchingRouter(old.as_router()) as batching:
        first = await begun(old, batching, "first")
        second = asyncio.create_task(batching.decide(ask("second")))
        await asyncio.sleep(0)
        batching.swap(new.as_router())
        old.go.set()
        assert (await first).intent == "old"
        assert (await second).intent == "new"
    assert old.batches == [["first"]]


async def test_an_error_goes_to_its_batch_alone() -> None:
    gated = Gated()
    gated.go.set()
    async with BatchingRouter(gated.as_router()) as batching:
        with pytest.raises(EncoderError, match="broken"):
            await batching.decide(ask("fail"))
        assert (await batching.decide(ask("after"))).text == "after"


async def test_who_went_away_is_not_decided_on() -> None:
    gated = Gated()
    async with BatchingRouter(gated.as_router()) as batching:
        first = await begun(gated, batching, "first")
        gone = asyncio.create_task(batching.decide(ask("gone")))
        stays = asyncio.create_task(batching.decide(ask("stays")))
        await asyncio.sleep(0)
        gone.cancel()
        gated.go.set()
        await asyncio.gather(first, stays)
    assert gated.batches == [["first"], ["stays"]]


async def test_closing_ends_what_began_and_refuses_the_rest() -> None:
    gated = Gated()
    batching = BatchingRouter(gated.as_router())
    first = await begun(gated, batching, "first")
    waiting = asyncio.create_task(batching.decide(ask("waiting")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(batching.aclose())
    await asyncio.sleep(0)
    gated.go.set()
    await closing
    assert (await first).text == "first"
    with pytest.raises(RouterClosed):
        await waiting
    with pytest.raises(RouterClosed):
        await batching.decide(ask("late"))


async def test_a_real_router_decides_as_it_does_alone(small_router: Router) -> None:
    conversations = [ask("red apple"), ask("wide river"), ask("loud music"), []]
    async with BatchingRouter(small_router) as batching:
        together = await asyncio.gather(*(batching.decide(messages) for messages in conversations))
    alone = [small_router.decide(messages) for messages in conversations]
    assert [decision.intent for decision in together] == [decision.intent for decision in alone]
    assert [decision.intent for decision in together] == ["fruit", "water", None, None]
