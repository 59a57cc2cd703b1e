"""Puts versions into the engine's slots and takes them out: the one place that changes what it has loaded.

One change at a time, over all servers. A version in use is never taken out; one that is not loaded when it
is needed pushes out the one that was not used for the longest time. Of several servers each has adapters of
its own: what is asked for little is on one of them, what is asked for much on more (``demand``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from service.adapters.base import ServedBase
from service.adapters.demand import Demand, in_order
from service.adapters.leases import Leases
from service.adapters.loader import Loader
from service.adapters.store import Store
from service.adapters.version import Entry
from service.adapters.versions import Versions
from service.engine import EngineClient
from service.errors import AdapterError, EngineError, EngineUnavailable
from service.sections import EngineSettings

log = logging.getLogger("pointsman.adapters")

_ROOM_SECONDS = 30.0


class Slots:
    """The versions that are loaded, on every server that is up."""

    def __init__(
        self, settings: EngineSettings, *, base: ServedBase, versions: Versions, leases: Leases, store: Store
    ) -> None:
        self._count = settings.loaded_loras
        self._versions = versions
        self._leases = leases
        self._loader = Loader(settings.model_name, base=base, versions=versions, store=store)
        self._clients: list[EngineClient] = []
        self._demand = Demand()
        self._changing = asyncio.Lock()

    @property
    def up(self) -> bool:
        """Whether there is a server to load on."""
        return bool(self._clients)

    @property
    def full(self) -> bool:
        """Whether a version has to go before another can be loaded."""
        return bool(self._clients) and not any(map(self._has_room, self._clients))

    def holds(self, entry: Entry) -> bool:
        """Whether a server has ``entry`` loaded."""
        return any(client in entry.loaded_on for client in self._clients)

    def where(self, name: str) -> set[EngineClient] | None:
        """The servers that have the version ``name``; None if it is none of ours, as the base."""
        entry = self._versions.named(name)
        return None if entry is None else entry.loaded_on

    async def load(self, entry: Entry) -> None:
        """Have ``entry`` loaded and proved where it lives; hold a lease on it, or it may be gone again.

        Raises:
            AdapterRejected: its bytes changed, the engine refuses it, or it has no effect.
            EngineUnavailable: no server is up, or no slot became free.
        """
        if self.holds(entry):
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ROOM_SECONDS
        while True:
            async with self._changing:
                if not self._clients:
                    raise EngineUnavailable("the engine is starting or down: /ready says when it is up")
                if self.holds(entry) or await self._load_at_home(entry):
                    return
            if not await self._leases.until(self._is_any_idle, deadline - loop.time()):
                raise EngineUnavailable(
                    f"{entry.name} is not loaded and all {self._count} slots of the engine are in use"
                )

    async def spread(self) -> None:
        """Give each version as many servers as it is asked for; where there is room, and nobody waits."""
        self._demand.look(self._versions)
        if len(self._clients) > 1:
            for entry in [entry for entry in self._versions if self.holds(entry)]:
                async with self._changing:
                    if self.holds(entry):  # else it was taken out meanwhile
                        await self._settle(entry, self._demand.homes(entry, self._clients))

    async def unload(self, entry: Entry) -> bool:
        """Take ``entry`` out of every server unless somebody uses it; whether it is out."""
        async with self._changing:
            return await self._unload(entry)

    async def prepare(self, client: EngineClient, entries: Iterable[Entry]) -> dict[Entry, str]:
        """Make a server that came up hold ``entries``, as many as fit, and count it in; what fails, and why.

        What else a gateway before this one had loaded there goes: nobody here would know of it.

        Raises:
            EngineUnavailable: it went down again.
        """
        problems: dict[Entry, str] = {}
        async with self._changing:
            wanted = self._wanted_on(client, entries)
            await self._loader.drop(client, await client.models() - {entry.name for entry in wanted})
            for entry in wanted:
                try:
                    await self._loader.load(client, entry)
                except AdapterError as exc:
                    log.error("not loaded: %s", exc)
                    problems[entry] = str(exc)
            self._clients.append(client)
        return problems

    def lost(self, client: EngineClient) -> None:
        """Count a server out, with all that it had loaded."""
        if client in self._clients:
            self._clients.remove(client)
        for entry in self._versions:
            entry.loaded_on.discard(client)

    async def compare(self) -> None:
        """Correct what is believed to be loaded by what the servers say, and unload what is not."""
        async with self._changing:
            for client in tuple(self._clients):
                try:
                    await self._compare(client)
                except EngineError as exc:  # the others can be
                    log.warning("%s can't be compared: %s", client.url, exc)

    async def _compare(self, client: EngineClient) -> None:
        names = await client.models()
        for entry in self._versions:
            if client in entry.loaded_on and entry.name not in names:
                log.error("%s has lost %s", client.url, entry.name)
                entry.loaded_on.discard(client)
        await self._loader.drop(client, names - {entry.name for entry in self._on(client)})

    async def _settle(self, entry: Entry, homes: list[EngineClient]) -> None:
        """Load ``entry`` on those of its homes that have room, then take it out of other servers."""
        for client in homes:
            if client not in entry.loaded_on and self._has_room(client):
                try:
                    await self._load_on(client, entry)
                except AdapterError as exc:  # another server has it
                    log.error("not loaded on %s too: %s", client.url, exc)
        if not entry.loaded_on.isdisjoint(homes):
            for client in entry.loaded_on - set(homes):
                if not client.is_using(entry.name):
                    await self._loader.unload(client, entry)

    def _is_any_idle(self) -> bool:
        return not self.full or any(entry.loaded_on and not entry.leases for entry in self._versions)

    def _on(self, client: EngineClient) -> list[Entry]:
        """What a server has loaded."""
        return [entry for entry in self._versions if client in entry.loaded_on]

    def _has_room(self, client: EngineClient) -> bool:
        return len(self._on(client)) < self._count

    def _wanted_on(self, client: EngineClient, entries: Iterable[Entry]) -> list[Entry]:
        """Those of ``entries`` and of what is loaded that live on a server which came up, as many as fit."""
        all_of_them = dict.fromkeys([*entries, *(entry for entry in self._versions if entry.loaded_on)])
        clients = [*self._clients, client]
        at_home = [entry for entry in all_of_them if client in self._demand.homes(entry, clients)]
        return at_home[: self._count]

    async def _load_at_home(self, entry: Entry) -> bool:
        """Load ``entry`` on its homes, or on the next server that has room; whether one has it."""
        wanted, gone = self._demand.homes(entry, self._clients), None
        for client in in_order(entry, self._clients):
            if client in wanted or not entry.loaded_on:
                try:
                    if await self._make_room(client, entry):
                        await self._load_on(client, entry)
                except EngineUnavailable as exc:
                    gone = exc
                except AdapterError:
                    if entry.leases <= 1:  # only who asked for it
                        for other in tuple(entry.loaded_on):
                            await self._loader.unload(other, entry)
                    raise
        if not entry.loaded_on and gone is not None:
            raise gone
        return bool(entry.loaded_on)

    async def _load_on(self, client: EngineClient, entry: Entry) -> None:
        """Load ``entry`` on a server that is up still when it is loaded; raises what the loader does."""
        await self._loader.load(client, entry)
        if client not in self._clients:
            entry.loaded_on.discard(client)
            raise EngineUnavailable(f"the server went while {entry.name} was loaded on it")

    async def _make_room(self, client: EngineClient, wanted: Entry) -> bool:
        stuck: set[Entry] = set()
        while len(self._on(client)) >= self._count:
            idle = [
                entry
                for entry in self._on(client)
                if entry is not wanted and entry not in stuck and self._may_go(client, entry)
            ]
            if not idle:
                return False
            coldest = min(
                idle,
                key=lambda entry: (len(entry.loaded_on) < 2, self._versions.is_live(entry), entry.used),
            )
            if not await self._loader.unload(client, coldest):
                stuck.add(coldest)
        return True

    @staticmethod
    def _may_go(client: EngineClient, entry: Entry) -> bool:
        """Whether nobody misses ``entry`` on a server."""
        return not entry.leases or (len(entry.loaded_on) > 1 and not client.is_using(entry.name))

    async def _unload(self, entry: Entry) -> bool:
        if entry.leases:
            return False
        for client in tuple(entry.loaded_on):
            if not await self._loader.unload(client, entry):
                return False
        return True
