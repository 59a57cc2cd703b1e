"""One version on one server: loaded and proved, or taken out."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from service.adapters.base import ServedBase
from service.adapters.probe import Probe
from service.adapters.store import Store
from service.adapters.version import Entry
from service.adapters.versions import Versions
from service.engine import EngineClient
from service.errors import AdapterRejected, EngineError, EngineRefused

log = logging.getLogger("pointsman.adapters")


class Loader:
    """Changes what a server has loaded, and notes it with the version. Who uses what is not its business."""

    def __init__(self, base_name: str, *, base: ServedBase, versions: Versions, store: Store) -> None:
        self._probe = Probe(base_name)
        self._base = base
        self._versions = versions
        self._store = store

    async def load(self, client: EngineClient, entry: Entry) -> None:
        """Load a version and prove it.

        Raises:
            AdapterRejected: its bytes changed, the engine refuses it, or it has no effect.
            EngineUnavailable: the server went away.
        """
        if entry.record.base_weights != (await self._base.read()).identity.weights:
            raise AdapterRejected(
                [
                    f"{entry.name} was registered for another base than the one that is served; promote a "
                    "version that was trained on this one, or serve its base"
                ]
            )
        verified = partial(asyncio.to_thread, self._store.verified, entry.name, entry.record.version)
        path = await verified()
        try:
            await client.load_adapter(entry.name, str(path))
        except EngineRefused as exc:
            if entry.name not in await client.models():  # else: left from a gateway before us
                raise AdapterRejected([f"{entry.name}: the engine refuses it: {exc}"]) from exc
        try:
            await verified()  # it was read in between
            effect = await self._probe.prove(client, entry.name)
        except BaseException:
            await self._unload_quietly(client, entry)
            raise
        entry.loaded_on.add(client)
        entry.used = asyncio.get_running_loop().time()
        log.info("%s is loaded; the probe changed by %.3g", entry.name, effect)

    async def unload(self, client: EngineClient, entry: Entry) -> bool:
        """Take a version out; whether it is. It counts as out at once, so that nobody begins with it."""
        entry.loaded_on.discard(client)
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

    async def drop(self, client: EngineClient, names: set[str]) -> None:
        """Unload those of ``names`` that are versions; names of another form are left alone."""
        for name in sorted(self._versions.foreign(names)):
            log.warning("unloading %s, which was left there", name)
            try:
                await client.unload_adapter(name)
            except EngineRefused as exc:
                log.error("%s can't be unloaded: %s", name, exc)
