"""The adapters as the rest of the service sees them."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from pointsman.moves import Moves
from service.adapters.checks import Checked
from service.adapters.history import Provenance
from service.adapters.joined import joined, recall
from service.adapters.leases import Lease
from service.adapters.lifecycle import Follow
from service.adapters.moving import in_place, moving
from service.adapters.version import VersionInfo
from service.engine import EnginePool
from service.errors import AdapterError, EngineUnavailable, ServiceError
from service.moving import Movers, Moving
from service.settings import Settings

log = logging.getLogger("pointsman.adapters")

T = TypeVar("T")


class Adapters:
    """Versions of adapters: which there are, which answer, and every change of that.

    A change that has begun is finished even if who asked for it goes away.
    """

    def __init__(self, settings: Settings, pool: EnginePool) -> None:
        self._pool = pool
        parts = joined(settings)
        self._registry = parts.registry
        self._store = parts.store
        self._versions = parts.versions
        self._leases = parts.leases
        self._slots = parts.slots
        self._drains = parts.drains
        self._lifecycle = parts.lifecycle
        self._intake = parts.intake
        self._reconciler = parts.reconciler
        self._changes: set[asyncio.Task[Any]] = set()
        self._reconciling: asyncio.Task[None] | None = None
        pool.on_up(self._reconciler.bring_up)
        pool.on_down(self._slots.lost)
        pool.placed(self._slots.where)

    async def start(self) -> None:
        """Read the registry; the engine is brought in line when it comes up.

        Raises:
            RegistryUnavailable
        """
        await asyncio.to_thread(self._registry.create)
        await recall(self._registry, self._versions)
        retired = [entry.name for entry in self._versions if entry.record.retired]
        await asyncio.to_thread(self._store.sweep, retired)
        self._reconciling = asyncio.create_task(self._reconciler.run(), name="reconcile adapters")

    async def stop(self) -> None:
        """Finish what was begun and close the registry."""
        if self._reconciling is not None:
            self._reconciling.cancel()
            await asyncio.gather(self._reconciling, return_exceptions=True)
        await asyncio.gather(*self._changes, return_exceptions=True)
        await self._drains.stop()
        await asyncio.to_thread(self._registry.close)

    @property
    def ready(self) -> bool:
        """Whether a live version is loaded, and preloading was tried."""
        return self._reconciler.ready

    @property
    def problems(self) -> tuple[str, ...]:
        """What can't be loaded or preloaded, and why."""
        return self._reconciler.problems

    async def check(self, folder: str) -> Checked:
        """Look at an artefact below the adapters folder; changes nothing.

        Raises:
            AdapterRejected: with every problem.
            AdapterConflict: the base can't be read, so there is nothing to compare with.
        """
        return await self._intake.check(folder)

    async def register(
        self, alias: str, folder: str, root: Path | None = None, *, foreign: bool = False
    ) -> VersionInfo:
        """Check an artefact below ``root``, else the adapters folder, and enter it as a version of ``alias``.

        A ``foreign`` one, which another trainer saved, may lack its manifest, and gets one.

        Where the engine has room it is loaded at once, so that no promotion under load has to wait for that.

        Raises:
            AdapterRejected: with every problem.
            StoreUnavailable, RegistryUnavailable: nothing was entered.
        """
        info = await self._owned(self._intake.enter(alias, folder, root, foreign=foreign))
        if self._slots.up and not self._slots.full:
            staging = asyncio.create_task(self._stage(alias, info.version), name=f"stage {info.name}")
            self._changes.add(staging)
            staging.add_done_callback(self._changes.discard)
        return info

    async def promote(
        self, alias: str, version: str, weight: int = 100, by: str = "", beside: Sequence[str] | None = None
    ) -> VersionInfo:
        """Let a version answer ``weight`` percent of the conversations; see :meth:`Lifecycle.promote`.

        Raises:
            AdapterNotFound
            AdapterConflict: it is retired, can't be a canary, or others are live than ``beside`` says.
            AdapterRejected: the engine refuses it, or it has no effect.
            EngineUnavailable: it can't be loaded now.
        """
        changed = self._lifecycle.promote(alias, version, weight, by, beside)
        return self._versions.info(await self._owned(changed))

    async def rollback(self, alias: str, version: str | None = None) -> VersionInfo:
        """Go back to what was live before the newest live version; the version that is live again.

        Raises:
            AdapterConflict: there is none to go back to, it is retired, or the newest is not ``version``.
        """
        return self._versions.info(await self._owned(self._lifecycle.rollback(alias, version)))

    async def retire(self, alias: str, version: str) -> VersionInfo:
        """Take a version out of service once nobody uses it.

        Raises:
            AdapterNotFound
            AdapterConflict: it is live.
        """
        return self._versions.info(await self._owned(self._lifecycle.retire(alias, version)))

    async def withdraw(self, alias: str) -> None:
        """Take an alias out of service: its live versions are retired, and its name answers no more.

        Raises:
            AdapterNotFound: it has no live version.
        """
        await self._owned(self._lifecycle.withdraw(alias))

    async def load(self, alias: str, version: str) -> VersionInfo:
        """Load a version and probe it; it answers who names it, and gets no requests of its alias.

        Raises:
            AdapterNotFound
            AdapterConflict: it is retired.
            AdapterRejected: the engine refuses it, or it has no effect.
            EngineUnavailable: it can't be loaded now.
        """
        return self._versions.info(await self._owned(self._lifecycle.load(alias, version)))

    async def judge(
        self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any], by: str = ""
    ) -> VersionInfo:
        """Keep a gate's verdict on a version with its report; a refused one takes no requests of its alias.

        Raises:
            AdapterNotFound
            AdapterConflict: it is live and would be refused.
        """
        judged = self._lifecycle.judge(alias, version, passed=passed, report=report, by=by)
        return self._versions.info(await self._owned(judged))

    def followed(self, follow: Follow) -> None:
        """Have ``follow`` make ready what moves with versions, before they are live."""
        self._lifecycle.follow = follow

    def moving(self) -> Moving:
        """What is in force with the live versions."""
        return moving(self._versions)

    def moving_with(self, alias: str, version: str, moves: Moves | None = None) -> Movers:
        """What would be in force if a version answered all of its alias, and brought ``moves`` or its own.

        Raises:
            AdapterNotFound
        """
        entry = self._versions.get(alias, version)
        return in_place(self._versions, alias, entry, moves or entry.moves)

    async def carry(self, alias: str, version: str, moves: Moves | None) -> VersionInfo:
        """Have routes, prompts, examples and costs move with a version; None: nothing does.

        Raises:
            AdapterNotFound
            AdapterConflict: it is live, or a rollback could lead to it.
        """
        return self._versions.info(await self._owned(self._lifecycle.carry(alias, version, moves)))

    async def show(self, alias: str, version: str) -> Provenance:
        """Where a version comes from and what became of it.

        Raises:
            AdapterNotFound
        """
        entry = self._versions.get(alias, version)
        manifest = await asyncio.to_thread(self._store.manifest, entry.name)
        signed_by = await asyncio.to_thread(self._store.signer, entry.name)
        promotions = await asyncio.to_thread(self._registry.promotions, entry.record)
        info = self._versions.info(entry)
        return Provenance(info, manifest, signed_by, entry.verdict, tuple(promotions), entry.moves)

    async def list(self) -> builtins.list[VersionInfo]:
        """Every version, retired ones too."""
        return [self._versions.info(entry) for entry in self._versions]

    def names(self) -> builtins.list[VersionInfo]:
        """Every version that may be used."""
        return [self._versions.info(entry) for entry in self._versions if not entry.record.retired]

    def knows(self, model: str) -> bool:
        """Whether ``model`` is an alias with a live version or an ``alias@version`` that may be used."""
        return self._versions.knows(model)

    def name_of(self, model: str, conversation: str) -> str:
        """``alias@version`` of the version that would answer ``conversation`` now.

        Raises:
            ModelNotFound
        """
        return self._versions.pick(model, conversation).name

    @asynccontextmanager
    async def lease(self, model: str, conversation: str) -> AsyncGenerator[Lease, None]:
        """The version that answers ``conversation``, loaded, and kept loaded until the exit.

        Raises:
            ModelNotFound
            EngineUnavailable: the engine is not up, or the version is not loaded and can't be now.
        """
        entry = self._versions.pick(model, conversation)
        with self._leases.hold(entry) as lease:
            if not self._slots.holds(entry):
                self._pool.client()  # an engine that is not up says so itself
                try:
                    await self._slots.load(entry)
                except AdapterError as exc:
                    log.error("%s can't be loaded: %s", entry.name, exc)
                    raise EngineUnavailable(f"the adapter {entry.name} can't be loaded") from exc
            yield lease

    async def _stage(self, alias: str, version: str) -> None:
        """Load a version that nobody asked for yet. What is wrong with it is told to who promotes it."""
        try:
            await self._lifecycle.load(alias, version)
        except ServiceError as exc:
            log.info("%s@%s is not loaded yet: %s", alias, version, exc)

    async def _owned(self, change: Coroutine[Any, Any, T]) -> T:
        """Run to the end what must not be left half done when a request is cancelled."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)
