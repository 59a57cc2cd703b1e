"""The router in an event loop: decisions run in one worker thread, those that arrive together run together.

While the thread works on one batch, new requests gather for the next; nobody waits for a batch to fill.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from router.decision import Decision
from router.errors import RouterClosed

if TYPE_CHECKING:
    from router.router import Router

BATCH = 32  # conversations at most that are decided together

Conversation = Sequence[Mapping[str, Any]]


class BatchingRouter:
    """Decides without blocking the loop. Make it, use it and close it in one event loop.

    ``async with BatchingRouter(router) as batching: decision = await batching.decide(messages)``
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._waiting: deque[tuple[Conversation, asyncio.Future[Decision]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="router")
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def router(self) -> Router:
        """The one that decides now."""
        return self._router

    def swap(self, router: Router) -> None:
        """Decide with ``router`` from the next batch on; a batch under way ends as it began."""
        self._router = router

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
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="router")
        return await future

    async def aclose(self) -> None:
        """Refuse new requests, fail those that wait, and let the batch under way end."""
        self._closed = True
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RouterClosed("the router is closed"))
        if self._worker is not None:
            await self._worker
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _work(self) -> None:
        """Decide until nobody waits. Every error goes to those who asked, so this task never fails."""
        loop = asyncio.get_running_loop()
        try:
            while batch := self._next_batch():
                conversations = [messages for messages, _ in batch]
                try:
                    decided = await loop.run_in_executor(
                        self._thread, self._router.decide_many, conversations
                    )
                except Exception as exc:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(exc)
                    continue
                for (_, future), decision in zip(batch, decided, strict=True):
                    if not future.done():
                        future.set_result(decision)
        finally:
            self._worker = None

    def _next_batch(self) -> list[tuple[Conversation, asyncio.Future[Decision]]]:
        batch: list[tuple[Conversation, asyncio.Future[Decision]]] = []
        while self._waiting and len(batch) < BATCH:
            messages, future = self._waiting.popleft()
            if not future.done():  # a client that went away
                batch.append((messages, future))
        return batch
