"""Versions on their way out: unloaded, their copy removed, once the last request that uses them is done."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace

from service.adapters.leases import Leases
from service.adapters.slots import Slots
from service.adapters.store import Store
from service.adapters.version import Entry
from service.errors import EngineUnavailable

log = logging.getLogger("pointsman.adapters")

Locks = defaultdict[str, asyncio.Lock]  # by alias, held while anything about it changes


class Drains:
    """Takes out what was retired, and waits for it where it is in use."""

    def __init__(self, *, slots: Slots, leases: Leases, store: Store, locks: Locks, seconds: float) -> None:
        self._slots = slots
        self._leases = leases
        self._store = store
        self._locks = locks
        self._seconds = seconds  # that a request may take; who is in use longer is named
        self._waiting: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End the tasks that wait."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    @staticmethod
    def retired(entry: Entry) -> None:
        """Note that the registry has it as retired: no request gets it any more."""
        entry.record = replace(entry.record, retired=True)
        entry.draining = True

    async def out_when_free(self, entry: Entry) -> None:
        """Take it out now if nobody uses it, else once nobody does, without waiting for that here."""
        if entry.leases:
            task = asyncio.create_task(self._drain(entry), name=f"drain {entry.name}")
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        else:
            await self.take_out(entry)

    async def take_out(self, entry: Entry) -> bool:
        """Unload a retired version that nobody uses any more; whether it is out."""
        async with self._locks[entry.record.alias]:
            try:
                if not entry.record.retired or not await self._slots.unload(entry):
                    return False
            except EngineUnavailable:
                pass  # what the engine had loaded went with it
            entry.draining = False
            await asyncio.to_thread(self._store.remove, entry.name)
            return True

    async def _drain(self, entry: Entry) -> None:
        if await self._leases.until(lambda: not entry.leases, self._seconds):
            await self.take_out(entry)
        else:
            log.error(
                "%s is retired and still used by %d requests after %g s; it stays loaded until they end",
                entry.name,
                entry.leases,
                self._seconds,
            )
