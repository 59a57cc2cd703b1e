"""Changes of who answers: promote, roll back, retire, withdraw. In database and memory, or in neither."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

from pointsman.moves import Moves
from service.adapters.drains import Drains, Locks
from service.adapters.leases import Leases
from service.adapters.moving import moving
from service.adapters.registry import Registry
from service.adapters.slots import Slots
from service.adapters.version import Entry, Live
from service.adapters.versions import Versions
from service.errors import AdapterConflict, AdapterNotFound, InvalidRequest
from service.moving import Moving

log = logging.getLogger("pointsman.adapters")

# Makes ready what is to be in force, and gives what puts it in force.
Follow = Callable[[Callable[[], Moving]], AbstractAsyncContextManager[Callable[[], None]]]


class Lifecycle:
    """One change at a time for each alias; requests go on meanwhile."""

    def __init__(
        self,
        *,
        versions: Versions,
        registry: Registry,
        slots: Slots,
        leases: Leases,
        locks: Locks,
        drains: Drains,
    ) -> None:
        self._versions = versions
        self._registry = registry
        self._slots = slots
        self._leases = leases
        self._locks = locks
        self._drains = drains
        self.follow: Follow | None = None  # of who has the routes

    async def promote(
        self, alias: str, version: str, weight: int, by: str, beside: Sequence[str] | None = None
    ) -> Entry:
        """Load and prove a version, then let it answer ``weight`` percent of the conversations.

        100 makes it the only one; less makes it the canary beside the one that is live. ``beside`` is what
        must be live now, primary first: who compared the version with those wants to replace no others.
        """
        if not 0 <= weight <= 100:
            raise InvalidRequest(f"weight is {weight}; it is a percentage, 0 to 100", "weight")
        async with self._locks[alias]:
            entry = self._versions.get(alias, version)
            if entry.verdict is not None and not entry.verdict.passed:
                raise AdapterConflict(
                    f"{entry.name} was refused on {entry.verdict.at:%Y-%m-%d} ({entry.verdict.reasons}); "
                    "only another verdict lets it take requests"
                )
            before = self._versions.live(alias)
            _expect(alias, before, beside)
            after = _after(entry, before, weight)
            if after != before:
                await self._switch(
                    alias, before, after, lambda: self._registry.switch(alias, before, after, by)
                )
            return entry

    async def rollback(self, alias: str, version: str | None = None) -> Entry:
        """Take the newest live version out of traffic, whatever share it has; returns the primary.

        ``version`` is who that must be: nobody wants to take back what somebody else promoted meanwhile.
        """
        async with self._locks[alias]:
            before = self._versions.live(alias)
            newest = "none" if before is None else f"{alias}@{before.versions[-1]}"
            if version is not None and newest != f"{alias}@{version}":
                raise AdapterConflict(
                    f"{alias}@{version} is not the newest live version of {alias!r}: {newest} is"
                )
            before = self._live(alias)
            after = await asyncio.to_thread(self._registry.way_back, alias)
            if after is None:
                raise AdapterConflict(f"{newest} stays live: there is no earlier version to go back to")
            await self._switch(
                alias, before, after, lambda: self._registry.undo(alias, before, after), back=True
            )
            return self._versions.get(alias, after.primary)

    async def load(self, alias: str, version: str) -> Entry:
        """Load and prove a version, and give it no requests."""
        async with self._locks[alias]:
            entry = self._versions.get(alias, version)
            if entry.record.retired:
                raise AdapterConflict(f"{entry.name} is retired; register it again first")
            with self._leases.hold(entry):
                await self._slots.load(entry)
            return entry

    async def judge(
        self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any], by: str
    ) -> Entry:
        """Keep a gate's verdict on a version; a refused one can't be promoted."""
        async with self._locks[alias]:
            entry = self._versions.get(alias, version)
            judged = partial(self._registry.judge, entry.record, passed=passed, report=report, by=by)
            entry.verdict = await asyncio.to_thread(judged)
            return entry

    async def carry(self, alias: str, version: str, moves: Moves | None) -> Entry:
        """Have ``moves`` be in force while the version answers; never changed while it may come to that."""
        async with self._locks[alias]:
            entry = self._versions.get(alias, version)
            if entry.moves != moves:
                await asyncio.to_thread(self._registry.carry, entry.record, moves)
                entry.moves = moves
            return entry

    async def retire(self, alias: str, version: str) -> Entry:
        """Take a version out of service: no new requests, unloaded once the last one is done."""
        async with self._locks[alias]:
            entry = self._versions.get(alias, version)
            await asyncio.to_thread(self._registry.retire, entry.record)
            self._drains.retired(entry)
        await self._drains.out_when_free(entry)
        return entry

    async def withdraw(self, alias: str) -> None:
        """Take an alias out of service with all of its versions that are live."""
        async with self._locks[alias]:
            before = self._live(alias)
            async with self._moved(alias, None) as adopt:
                await asyncio.to_thread(self._registry.withdraw, alias, before)
                self._versions.clear_live(alias)
                adopt()
            entries = [self._versions.get(alias, version) for version in before.versions]
            for entry in entries:
                self._drains.retired(entry)
        log.info("%s: withdrawn, before %s", alias, before)
        for entry in entries:
            await self._drains.out_when_free(entry)

    def _live(self, alias: str) -> Live:
        found = self._versions.live(alias)
        if found is None:
            others = ", ".join(name for name, _ in self._versions.aliases()) or "none"
            raise AdapterNotFound(f"the adapter {alias!r} has no live version; those that have one: {others}")
        return found

    async def _switch(
        self,
        alias: str,
        before: Live | None,
        after: Live,
        write: Callable[[], datetime],
        *,
        back: bool = False,
    ) -> None:
        """The way ``back`` is open while the engine is down too: what is live may be what keeps it down."""
        entries = [self._versions.get(alias, version) for version in after.versions]
        for entry in entries:
            if entry.record.retired:
                raise AdapterConflict(f"{entry.name} is retired; register it again first")
        idle = [entry for entry in entries if not entry.loaded_on]
        try:
            with ExitStack() as held:
                for entry in entries:
                    held.enter_context(self._leases.hold(entry))
                    if self._slots.up or not back:
                        await self._slots.load(entry)
                async with self._moved(alias, after) as adopt:
                    since = await asyncio.to_thread(write)
                    self._versions.set_live(alias, after, since)
                    adopt()  # between the same two requests
        except BaseException:
            for entry in idle:
                await self._slots.unload(entry)
            raise
        log.info("%s: live is %s, before %s", alias, after, before)

    @asynccontextmanager
    async def _moved(self, alias: str, after: Live | None) -> AsyncGenerator[Callable[[], None]]:
        """Make ready what moves with ``after``, if anything does, and give what puts it in force."""
        lives = (self._versions.live(alias), after)
        versions = {version for live in lives if live is not None for version in live.versions}
        if self.follow is None or all(self._versions.get(alias, one).moves is None for one in versions):
            yield lambda: None
            return
        async with self.follow(lambda: moving(self._versions, (alias, after))) as adopt:
            yield adopt


def _expect(alias: str, before: Live | None, beside: Sequence[str] | None) -> None:
    found = before.versions if before is not None else ()
    if beside is not None and found != tuple(beside):
        now, then = (", ".join(f"{alias}@{one}" for one in which) or "nothing" for which in (found, beside))
        raise AdapterConflict(
            f"live for {alias!r} is {now}, not {then}: somebody else changed it meanwhile; look and try again"
        )


def _after(entry: Entry, before: Live | None, weight: int) -> Live:
    version = entry.record.version
    if weight == 100:
        return Live(version)
    if before is None:
        raise AdapterConflict(
            f"{entry.record.alias!r} has no live version for {entry.name} to be a canary of; use weight 100"
        )
    if version == before.primary:
        raise AdapterConflict(f"{entry.name} is the live version; a canary must be another one")
    return Live(before.primary, version, weight)
