"""The router in an event loop: decisions run in worker threads, those that arrive together run together.

While the threads work on a batch each, new requests gather for the next; nobody waits for a batch to fill.
A batch saves what Python does once for all of it, and whoever is in it waits for the last of it. So batches
are small, and of long texts smaller: else 64 long texts that come at once are all decided at the end.

With several lanes, each encodes a text, which needs Python's lock for next to nothing. What needs it, the
rest of a decision, is done by two threads: one works while the other's texts are encoded. As many threads as
lanes waited for the lock most of their time, and the event loop with them (docs/log.md).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from router.deciding.decision import Decision
from router.errors import RouterClosed
from router.text.conversation import content_text

if TYPE_CHECKING:
    from router.router import Router

BATCH = 8  # conversations at most that are decided together
CHARACTERS = 400  # of their last messages, for each lane and thread; who goes beyond is a batch's last
_MOST_LANES = 8
_DECIDING = (
    2  # threads at most that decide: one does what Python has to do while the other's texts are encoded
)

Conversation = Sequence[Mapping[str, Any]]


def lanes() -> int:
    """How many texts to encode at once: one for every two cores, since the engine wants some too."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_LANES, max(1, cores // 2))


class BatchingRouter:
    """Decides without blocking the loop. Make it, use it and close it in one event loop.

    ``async with BatchingRouter(router) as batching: decision = await batching.decide(messages)``
    """

    def __init__(self, router: Router, lanes: int = 1) -> None:
        """``lanes`` texts are encoded at once, each on a core of its own."""
        self._lanes = lanes
        self._deciding = min(lanes, _DECIDING)
        self._encoding = ThreadPoolExecutor(lanes, thread_name_prefix="encoder") if lanes > 1 else None
        self.swap(router)
        self._waiting: deque[tuple[Conversation, asyncio.Future[Decision]]] = deque()
        self._threads = ThreadPoolExecutor(self._deciding, thread_name_prefix="router")
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def router(self) -> Router:
        """The one that decides now."""
        return self._router

    def swap(self, router: Router) -> None:
        """Decide with ``router`` from the next batch on; a batch under way ends as it began."""
        self._router = router
        self._decide_many = router.decide_many
        if self._encoding is not None:
            from router.encoding.beside import BesideEncoder  # numpy, which a router has imported by now

            beside = BesideEncoder(router.encoder, self._encoding)
            self._decide_many = router.encoded_by(beside).decide_many

    async def decide(self, messages: Conversation) -> Decision:
        """The decision on one conversation.

        Raises:
            RouterClosed: after :meth:`aclose`.
            EncoderError: the encoder fails on the batch.
        """
        if self._closed:
            raise RouterClosed("the router is closed")
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, future))
        if len(self._workers) < self._deciding:
            worker = asyncio.create_task(self._work(), name="router")
            self._workers.add(worker)
        return await future

    async def aclose(self) -> None:
        """Refuse new requests, fail those that wait, and let the batch under way end."""
        self._closed = True
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RouterClosed("the router is closed"))
        if self._workers:
            await asyncio.wait(tuple(self._workers))
        self._threads.shutdown(wait=False)
        if self._encoding is not None:
            self._encoding.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _work(self) -> None:
        """Decide until nobody waits. Every error goes to those who asked, so this task never fails."""
        loop, worker = asyncio.get_running_loop(), asyncio.current_task()
        assert worker is not None
        try:
            while batch := self._next_batch():
                conversations = [messages for messages, _ in batch]
                try:
                    decided = await loop.run_in_executor(self._threads, self._decide_many, conversations)
                except Exception as exc:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(exc)
                    continue
                for (_, future), decision in zip(batch, decided, strict=True):
                    if not future.done():
                        future.set_result(decision)
        finally:
            self._workers.remove(worker)

    def _next_batch(self) -> list[tuple[Conversation, asyncio.Future[Decision]]]:
        batch: list[tuple[Conversation, asyncio.Future[Decision]]] = []
        share = min(BATCH, -(-len(self._waiting) // self._deciding))  # rounded up: the other takes its own
        most, characters = CHARACTERS * self._lanes * self._deciding, 0
        while self._waiting and len(batch) < share and characters < most:
            messages, future = self._waiting.popleft()
            if not future.done():  # a client that went away
                batch.append((messages, future))
                characters += len(content_text(messages[-1].get("content"))) if messages else 0
        return batch
