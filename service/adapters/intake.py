"""The way of an artefact into the registry: checked where it lies, copied, entered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from service.adapters.base import ServedBase
from service.adapters.checks import Checked, check, check_alias
from service.adapters.drains import Locks
from service.adapters.registry import Registry
from service.adapters.store import Store
from service.adapters.version import Record, VersionInfo
from service.adapters.versions import Versions
from service.errors import AdapterRejected
from service.settings import Settings


class Intake:
    """Takes artefacts in; killed anywhere, it has entered a version with its copy, or none."""

    def __init__(
        self,
        settings: Settings,
        *,
        base: ServedBase,
        versions: Versions,
        registry: Registry,
        store: Store,
        locks: Locks,
    ) -> None:
        self._settings = settings
        self._base = base
        self._versions = versions
        self._registry = registry
        self._store = store
        self._locks = locks

    async def check(self, folder: str, root: Path | None = None, foreign: str | None = None) -> Checked:
        """Look at the artefact ``folder`` below ``root``, else the adapters folder; changes nothing.

        Without a manifest it passes only if it is to be ``foreign``, an alias.

        Raises:
            AdapterRejected: with every problem.
            AdapterConflict: the base can't be read, so there is nothing to compare with.
        """
        base = await self._base.read()
        adapters, rank = self._settings.adapters, self._settings.engine.max_lora_rank
        return await asyncio.to_thread(
            check, root or adapters.folder, folder, base, rank, adapters.trusted_keys, foreign=foreign
        )

    async def enter(
        self, alias: str, folder: str, root: Path | None = None, *, foreign: bool = False
    ) -> VersionInfo:
        """Check an artefact, copy it and enter it as a version of ``alias``; a second time changes nothing.

        A ``foreign`` one may lack its manifest, and gets one.

        Raises:
            AdapterRejected: with every problem.
            StoreUnavailable, RegistryUnavailable: nothing was entered.
        """
        check_alias(alias, self._settings.engine.model_name)
        found = await self.check(folder, root, alias if foreign else None)
        async with self._locks[alias]:
            name = f"{alias}@{found.version}"
            source = (root or self._settings.adapters.folder) / found.folder
            made = found.manifest if foreign else None
            await asyncio.to_thread(self._store.add, name, found.version, source, made)
            record = _record(alias, found)
            known = next((entry.record for entry in self._versions if entry.name == name), None)
            if known is None or known.retired:
                await asyncio.to_thread(self._registry.put, record)
                return self._versions.info(self._versions.put(record))
            return self._versions.info(self._versions.get(alias, found.version))


def _record(alias: str, found: Checked) -> Record:
    if found.manifest.base is None:
        raise AdapterRejected([f"{found.folder}/manifest.json: base is null"])
    return Record(
        alias=alias,
        version=found.version,
        rank=found.rank,
        folder=found.folder,
        base_weights=found.manifest.base.weights,
        created=datetime.now(UTC),
        metrics=found.manifest.metrics,
    )
