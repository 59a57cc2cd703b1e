"""All versions in memory, and who is live.

Changed only in the event loop and never across an ``await``, so that a request always sees one whole
state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from pointsman.artefact import SERVED_ALIAS, VERSION_DIGITS
from service.adapters.version import Entry, Live, Record, State, VersionInfo
from service.errors import AdapterNotFound, ModelNotFound

_NAME = re.compile(rf"{SERVED_ALIAS.pattern}@[0-9a-f]{{{VERSION_DIGITS}}}")


class Versions:
    """Every version and who is live."""

    def __init__(self, base_name: str) -> None:
        self._base_name = base_name
        self._entries: dict[str, Entry] = {}  # by name, in the order of their registration
        self._live: dict[str, Live] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, record: Record) -> Entry:
        """Add a version, or replace what is known of it."""
        entry = self._entries.setdefault(record.name, Entry(record))
        entry.record = record
        return entry

    def get(self, alias: str, version: str) -> Entry:
        """One version.

        Raises:
            AdapterNotFound
        """
        entry = self._entries.get(f"{alias}@{version}")
        if entry is None:
            known = [one.record.version for one in self if one.record.alias == alias]
            hint = f"; it has {', '.join(known)}" if known else "; no version of it is registered"
            raise AdapterNotFound(f"the adapter {alias!r} has no version {version!r}{hint}")
        return entry

    def named(self, name: str) -> Entry | None:
        """The version that is called ``name`` (alias@version)."""
        return self._entries.get(name)

    def live(self, alias: str) -> Live | None:
        """Who is live for ``alias``."""
        return self._live.get(alias)

    def aliases(self) -> list[tuple[str, Live]]:
        """Every alias that has one, and who is live for it."""
        return list(self._live.items())

    def set_live(self, alias: str, live: Live, since: datetime | None = None) -> None:
        """Make ``live`` answer from the next request on. ``since`` is of those that were not live before."""
        before = self._live.get(alias)
        self._live[alias] = live
        for version in live.versions:
            entry = self.get(alias, version)
            entry.draining = False
            if since is not None and (before is None or version not in before.versions):
                entry.record = replace(entry.record, live_since=since)
        for version in before.versions if before is not None else ():
            if version not in live.versions:
                entry = self.get(alias, version)
                entry.draining = entry.leases > 0

    def clear_live(self, alias: str) -> None:
        """Let nobody answer for ``alias`` from the next request on."""
        del self._live[alias]

    def is_live(self, entry: Entry) -> bool:
        """Whether the version gets requests of its alias."""
        live = self._live.get(entry.record.alias)
        return live is not None and entry.record.version in live.versions

    def live_entries(self) -> list[Entry]:
        """Every live version, primaries before canaries."""
        found = [self.get(alias, live.primary) for alias, live in self._live.items()]
        return found + [self.get(a, live.canary) for a, live in self._live.items() if live.canary is not None]

    def knows(self, model: str) -> bool:
        """Whether ``model`` is an alias with a live version or an ``alias@version`` that may be used."""
        entry = self._entries.get(model)
        return model in self._live or (entry is not None and not entry.record.retired)

    def pick(self, model: str, conversation: str) -> Entry:
        """The version that answers a conversation.

        Raises:
            ModelNotFound
        """
        if (live := self._live.get(model)) is not None:
            return self._entries[f"{model}@{live.choose(model, conversation)}"]
        entry = self._entries.get(model)
        if entry is None or entry.record.retired:
            raise ModelNotFound(f"the model {model[:200]!r} does not exist", "model")
        return entry

    @staticmethod
    def foreign(names: set[str]) -> set[str]:
        """Those of ``names`` that have the form of a version's name."""
        return {name for name in names if _NAME.fullmatch(name)}

    def info(self, entry: Entry) -> VersionInfo:
        """The version as it is shown."""
        record, live = entry.record, self._live.get(entry.record.alias)
        return VersionInfo(
            alias=record.alias,
            version=record.version,
            name=record.name,
            state=self._state(entry),
            weight=live.weight_of(record.version) if live is not None else 0,
            canary=live is not None and live.canary == record.version,
            leases=entry.leases,
            loaded=bool(entry.loaded_on),
            rank=record.rank,
            base=self._base_name,
            folder=record.folder,
            created=record.created,
            live_since=record.live_since,
            metrics=record.metrics,
        )

    def _state(self, entry: Entry) -> State:
        if self.is_live(entry):
            return "live"
        if entry.draining:
            return "draining"
        if entry.record.retired:
            return "retired"
        if entry.verdict is not None and not entry.verdict.passed:
            return "rejected"
        return "loaded" if entry.loaded_on else "registered"
