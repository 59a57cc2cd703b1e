"""Counts who uses which version, and wakes those who wait for a version to be free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.adapters.version import Entry


@dataclass(frozen=True, slots=True)
class Lease:
    """A version that stays loaded as long as it is held."""

    alias: str
    version: str
    name: str  # alias@version, vLLM's model name


class Leases:
    """The counters of all versions. Taking and giving back never wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    @contextmanager
    def hold(self, entry: Entry) -> Iterator[Lease]:
        """Count one more use of ``entry`` until the exit."""
        entry.leases += 1
        entry.uses += 1
        try:
            yield Lease(entry.record.alias, entry.record.version, entry.name)
        finally:
            entry.leases -= 1
            entry.used = asyncio.get_running_loop().time()
            if entry.leases == 0:
                entry.draining = entry.draining and entry.record.retired  # then until it is unloaded
                for waiter in self._waiting:
                    if not waiter.done():
                        waiter.set_result(None)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` is true, looking whenever a version became free; False: time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiter)
            try:
                async with asyncio.timeout_at(deadline):
                    await waiter
            except TimeoutError:
                return False
            finally:
                self._waiting.discard(waiter)
        return True
