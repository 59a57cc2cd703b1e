"""How much each version is asked for, and on which servers it therefore lives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.adapters.version import Entry
from service.engine import EngineClient
from service.engine.placement import homes, order

_KEPT = 0.8  # of what was counted before, at each look: half of it is gone after three


class Demand:
    """The share of the requests that each version has had lately."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._lately: dict[str, float] = {}

    def look(self, entries: Iterable[Entry]) -> None:
        """Count what came since the last look."""
        for entry in entries:
            came = entry.uses - self._seen.get(entry.name, 0)
            self._seen[entry.name] = entry.uses
            self._lately[entry.name] = _KEPT * self._lately.get(entry.name, 0.0) + came

    def share(self, entry: Entry) -> float:
        """0 to 1."""
        total = sum(self._lately.values())
        return self._lately.get(entry.name, 0.0) / total if total else 0.0

    def homes(self, entry: Entry, clients: Sequence[EngineClient]) -> list[EngineClient]:
        """The servers that ``entry`` lives on: one if it is cold, more the more it is asked for."""
        by_url = {client.url: client for client in clients}
        return [by_url[url] for url in homes(entry.record.alias, list(by_url), self.share(entry))]


def in_order(entry: Entry, clients: Sequence[EngineClient]) -> list[EngineClient]:
    """All servers as the adapter prefers them, its homes first."""
    by_url = {client.url: client for client in clients}
    return [by_url[url] for url in order(entry.record.alias, by_url)]
