"""Iterators that end when they should: closed by whoever leaves them, and bounded in time.

An async generator that is only dropped is closed some time later, by a task that nobody awaits; the
engine would go on generating until then. Every iterator in this room is therefore left through
:func:`closing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from chains.errors import ChainTimeout

T = TypeVar("T")


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """``source``, closed on the way out if it can be closed."""
    try:
        yield source
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


class Deadline:
    """A moment, ``seconds`` from its making, at which waiting ends with ChainTimeout."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = asyncio.get_running_loop().time() + seconds

    def each(self, source: AsyncGenerator[T, None]) -> aclosing[AsyncGenerator[T, None]]:
        """The items of ``source``, to be used with ``async with``; closed on the way out.

        Only the waiting for an item is bounded, so that no timeout can strike in the consumer's code.
        """
        return aclosing(self._each(source))

    async def wait(self, coming: Awaitable[T]) -> T:
        """What ``coming`` comes to, if it does in time.

        Raises:
            ChainTimeout: it did not, and was cancelled.
        """
        timeout = asyncio.timeout_at(self._at)
        try:
            async with timeout:
                return await coming
        except TimeoutError:
            if timeout.expired():
                raise ChainTimeout(self._seconds) from None
            raise

    async def _each(self, source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        async with closing(source):
            while True:
                try:
                    item = await self.wait(anext(source))
                except StopAsyncIteration:
                    return
                yield item
