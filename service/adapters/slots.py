"""Puts versions into the engine's slots and takes them out: the one place that changes what it has loaded.

One change at a time, over all servers. A version in use is never taken out; one that is not loaded when it
is needed pushes out the one that was not used for the longest time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from service.adapters.base import ServedBase
from service.adapters.leases import Leases
from service.adapters.probe import prove
from service.adapters.store import Store
from service.adapters.versions import Entry, Versions
from service.engine import EngineClient
from service.errors import AdapterError, AdapterRejected, EngineError, EngineRefused, EngineUnavailable
from service.sections import EngineSettings

log = logging.getLogger("pointsman.adapters")

_ROOM_SECONDS = 30.0


class Slots:
    """The versions that are loaded, on every server that is up."""

    def __init__(
        self, settings: EngineSettings, *, base: ServedBase, versions: Versions, leases: Leases, store: Store
    ) -> None:
        self._count = settings.loaded_loras
        self._base_name = settings.model_name
        self._base = base
        self._versions = versions
        self._leases = leases
        self._store = store
        self._clients: list[EngineClient] = []
        self._changing = asyncio.Lock()

    @property
    def up(self) -> bool:
        """Whether there is a server to load on."""
        return bool(self._clients)

    @property
    def full(self) -> bool:
        """Whether a version has to go before another can be loaded."""
        return sum(bool(entry.loaded_on) for entry in self._versions) >= self._count

    def holds(self, entry: Entry) -> bool:
        """Whether every server has ``entry`` loaded."""
        return bool(self._clients) and entry.loaded_on.issuperset(self._clients)

    async def load(self, entry: Entry) -> None:
        """Have ``entry`` loaded and proved on every server; hold a lease on it, or it may be gone again.

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
                if await self._make_room(entry):
                    await self._load_everywhere(entry)
                    return
            if not await self._leases.until(self._is_any_idle, deadline - loop.time()):
                raise EngineUnavailable(
                    f"{entry.name} is not loaded and all {self._count} slots of the engine are in use"
                )

    async def unload(self, entry: Entry) -> bool:
        """Take ``entry`` out of every server unless somebody uses it; whether it is out."""
        async with self._changing:
            return await self._unload(entry)

    async def prepare(self, client: EngineClient, entries: Iterable[Entry]) -> dict[Entry, str]:
        """Make a server that came up hold ``entries``, as many as fit, and count it in; what fails, and why.

        Raises:
            EngineUnavailable: it went down again.
        """
        problems: dict[Entry, str] = {}
        async with self._changing:
            await self._drop_unknown(client, await client.models())
            wanted = dict.fromkeys([*entries, *(entry for entry in self._versions if entry.loaded_on)])
            for entry in list(wanted)[: self._count]:
                try:
                    await self._load_on(client, entry)
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
        """Correct what is believed to be loaded by what the servers say, and unload what nobody knows."""
        async with self._changing:
            for client in tuple(self._clients):
                names = await client.models()
                for entry in self._versions:
                    if client in entry.loaded_on and entry.name not in names:
                        log.error("%s has lost %s", client.url, entry.name)
                        entry.loaded_on.discard(client)
                await self._drop_unknown(client, names)

    def _is_any_idle(self) -> bool:
        return not self.full or any(entry.loaded_on and not entry.leases for entry in self._versions)

    async def _make_room(self, wanted: Entry) -> bool:
        stuck: set[Entry] = set()
        while True:
            loaded = [entry for entry in self._versions if entry.loaded_on and entry is not wanted]
            if len(loaded) < self._count:
                return True
            idle = [entry for entry in loaded if not entry.leases and entry not in stuck]
            if not idle:
                return False
            coldest = min(idle, key=lambda entry: (self._versions.is_live(entry), entry.used))
            if not await self._unload(coldest):
                stuck.add(coldest)

    async def _load_everywhere(self, entry: Entry) -> None:
        for client in tuple(self._clients):
            if client not in entry.loaded_on:
                try:
                    await self._load_on(client, entry)
                except AdapterError:
                    if entry.leases <= 1:  # only who asked for it
                        for other in tuple(entry.loaded_on):
                            await self._unload_from(other, entry)
                    raise

    async def _load_on(self, client: EngineClient, entry: Entry) -> None:
        if entry.record.base_weights != (await self._base.read()).identity.weights:
            raise AdapterRejected(
                [
                    f"{entry.name} was registered for another base than the one that is served; promote a "
                    "version that was trained on this one, or serve its base"
                ]
            )
        path = await asyncio.to_thread(self._store.verified, entry.name, entry.record.version)
        try:
            await client.load_adapter(entry.name, str(path))
        except EngineRefused as exc:
            if entry.name not in await client.models():  # else: left from a gateway before us
                raise AdapterRejected([f"{entry.name}: the engine refuses it: {exc}"]) from exc
        try:
            effect = await prove(client, self._base_name, entry.name)
        except BaseException:
            await self._unload_quietly(client, entry)
            raise
        entry.loaded_on.add(client)
        entry.used = asyncio.get_running_loop().time()
        log.info("%s is loaded; the probe changed by %.3g", entry.name, effect)

    async def _unload(self, entry: Entry) -> bool:
        if entry.leases:
            return False
        for client in tuple(entry.loaded_on):
            if not await self._unload_from(client, entry):
                return False
        return True

    async def _unload_from(self, client: EngineClient, entry: Entry) -> bool:
        entry.loaded_on.discard(
            client
        )  # first: who wants it from now on waits for the lock and loads it again
        try:
            await client.unload_adapter(entry.name)
        except EngineRefused as exc:
            entry.loaded_on.add(client)
            log.error("%s can't be unloaded and keeps its slot: %s", entry.name, exc)
            return False
        log.info("%s is unloaded", entry.name)
        return True

    async def _unload_quietly(self, client: EngineClient, entry: Entry) -> None:
        try:
            await client.unload_adapter(entry.name)
        except EngineError as exc:
            log.error("%s can't be unloaded after its probe: %s", entry.name, exc)

    async def _drop_unknown(self, client: EngineClient, names: set[str]) -> None:
        """Unload versions that are not ours to serve; names of another form are left alone."""
        ours = {entry.name for entry in self._versions if not entry.record.retired or entry.loaded_on}
        for name in sorted(self._versions.foreign(names - ours)):
            log.warning("unloading %s, which the registry does not know", name)
            try:
                await client.unload_adapter(name)
            except EngineRefused as exc:
                log.error("%s can't be unloaded: %s", name, exc)
