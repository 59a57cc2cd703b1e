"""Makes the engine agree with the registry: whenever a server came up, and every half minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from service.adapters.base import ServedBase
from service.adapters.drains import Drains
from service.adapters.leases import Leases
from service.adapters.lifecycle import Lifecycle
from service.adapters.slots import Slots
from service.adapters.version import VersionInfo
from service.adapters.versions import Versions
from service.engine import EngineClient
from service.errors import AdapterError, ServiceError

log = logging.getLogger("pointsman.adapters")

_PERIOD_SECONDS = 30.0


class Reconciler:
    """Loads what should be loaded, live versions first, and puts the preloaded ones into the registry."""

    def __init__(
        self,
        *,
        base: ServedBase,
        versions: Versions,
        slots: Slots,
        leases: Leases,
        lifecycle: Lifecycle,
        drains: Drains,
        preload: Mapping[str, str],
        register: Callable[[str, str], Awaitable[VersionInfo]],
    ) -> None:
        self._base = base
        self._versions = versions
        self._slots = slots
        self._leases = leases
        self._lifecycle = lifecycle
        self._drains = drains
        self._preload = preload
        self._register = register
        self._preloaded = False  # or found to be what can't be
        self.problems: tuple[str, ...] = ()  # of the last time

    @property
    def ready(self) -> bool:
        """Whether a live version is loaded, and preloading was tried.

        What can be loaded is, when a server comes up. Later one may make place for another, and is loaded
        when it is asked; one that can't be is a problem, and its requests fail. As long as another answers
        neither is a reason to send the requests of that one away too.
        """
        live = self._versions.live_entries()
        some = not live or self._slots.full or any(map(self._slots.holds, live))
        return self._slots.up and self._preloaded and some

    async def bring_up(self, client: EngineClient) -> None:
        """Prepare a server that came up.

        Raises:
            EngineError: it went down again.
        """
        failed = await self._slots.prepare(client, self._versions.live_entries())
        not_preloaded = await self._preload_all()  # may take the place of some that failed
        live = self._versions.live_entries()
        self.problems = (*(why for entry, why in failed.items() if entry in live), *not_preloaded)

    async def run(self) -> None:
        """Compare and correct until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            try:
                await self.correct()
            except ServiceError as exc:
                log.warning("adapters not reconciled: %s", exc)
            except Exception:
                log.exception("adapters not reconciled")

    async def correct(self) -> None:
        """Load live versions that are missing, unload retired ones that nobody uses any more."""
        if not self._slots.up:
            return
        await self._slots.compare()
        problems = []
        for entry in self._versions.live_entries():
            if not self._slots.holds(entry) and not self._slots.full:
                try:
                    with self._leases.hold(entry):
                        await self._slots.load(entry)
                except ServiceError as exc:
                    log.error("not loaded: %s", exc)
                    problems.append(str(exc))
        await self._slots.spread()
        for entry in self._versions:
            if entry.record.retired and entry.draining and not entry.leases:
                await self._drains.take_out(entry)
        self.problems = (*problems, *await self._preload_all())

    async def _preload_all(self) -> list[str]:
        """Register and promote what the settings name for aliases without a live version of this base."""
        problems, waits = [], False
        for alias, folder in self._preload.items():
            if not await self._is_served(alias):
                try:
                    info = await self._register(alias, folder)
                    await self._lifecycle.promote(alias, info.version, 100, by="preload")
                except ServiceError as exc:
                    log.error("%s: not preloaded: %s", alias, exc)
                    problems.append(f"{alias}: not preloaded: {exc}")
                    waits = waits or not isinstance(exc, AdapterError)  # for the engine
        self._preloaded = not waits
        return problems

    async def _is_served(self, alias: str) -> bool:
        """Whether a live version of ``alias`` was trained on the base that is served: others can't load."""
        live = self._versions.live(alias)
        if live is None:
            return False
        try:
            base = (await self._base.read()).identity.weights
        except ServiceError:  # without a base to compare with, what is live stays
            return True
        return any(
            self._versions.get(alias, version).record.base_weights == base for version in live.versions
        )
