"""The parts of the adapter life, joined, and what the registry remembers of a gateway before this one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from service.adapters.base import ServedBase
from service.adapters.drains import Drains, Locks
from service.adapters.intake import Intake
from service.adapters.leases import Leases
from service.adapters.lifecycle import Lifecycle
from service.adapters.reconcile import Reconciler
from service.adapters.registry import Registry
from service.adapters.slots import Slots
from service.adapters.store import Store
from service.adapters.versions import Versions
from service.settings import Settings


@dataclass(frozen=True)
class Parts:
    """One of each."""

    registry: Registry
    store: Store
    versions: Versions
    leases: Leases
    slots: Slots
    drains: Drains
    lifecycle: Lifecycle
    intake: Intake
    reconciler: Reconciler


def joined(settings: Settings) -> Parts:
    """New ones that know each other; nothing is read or asked yet."""
    base = ServedBase(settings.engine, settings.state)
    registry = Registry(settings.database_url)
    store = Store(settings.state / "adapters", settings.adapters.trusted_keys)
    versions = Versions(settings.engine.model_name)
    leases = Leases()
    slots = Slots(settings.engine, base=base, versions=versions, leases=leases, store=store)
    locks = Locks(asyncio.Lock)
    drains = Drains(
        slots=slots,
        leases=leases,
        store=store,
        locks=locks,
        seconds=settings.gateway.request_timeout_seconds,
    )
    lifecycle = Lifecycle(
        versions=versions,
        registry=registry,
        slots=slots,
        leases=leases,
        locks=locks,
        drains=drains,
    )
    intake = Intake(
        settings,
        base=base,
        versions=versions,
        registry=registry,
        store=store,
        locks=locks,
    )
    reconciler = Reconciler(
        base=base,
        versions=versions,
        slots=slots,
        leases=leases,
        lifecycle=lifecycle,
        drains=drains,
        preload=settings.adapters.preload,
        register=intake.enter,
    )
    return Parts(registry, store, versions, leases, slots, drains, lifecycle, intake, reconciler)


async def recall(registry: Registry, versions: Versions) -> None:
    """Put into ``versions`` what the registry has: versions, verdicts, what moves with them, who is live.

    Raises:
        RegistryUnavailable
    """
    for record in await asyncio.to_thread(registry.versions):
        versions.put(record)
    for alias, version, verdict in await asyncio.to_thread(registry.verdicts):
        versions.get(alias, version).verdict = verdict
    for alias, version, moves in await asyncio.to_thread(registry.moves):
        versions.get(alias, version).moves = moves
    for alias, live in (await asyncio.to_thread(registry.live)).items():
        versions.set_live(alias, live)
