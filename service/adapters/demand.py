"""How much each version is asked for, and on which servers it therefore lives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.adapters.version import Entry
from service.engine import EngineClient
from service.engine.placement import homes, order

_KEPT = 0.8  # of what was counted before, at each look: half of it is gone after three


class Demand:
    """The share of the requests that each version has had lately, and the servers that all live on by it."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._lately: dict[str, float] = {}
        self._aliases: dict[str, str] = {}  # of the versions at the last look, by their names
        self._homes: dict[tuple[str, ...], dict[str, list[str]]] = {}  # by servers, then by version

    def look(self, entries: Iterable[Entry]) -> None:
        """Count what came since the last look."""
        entries = tuple(entries)
        came = {entry.name: entry.uses - self._seen.get(entry.name, 0) for entry in entries}
        self._seen = {entry.name: entry.uses for entry in entries}
        self._lately = {name: _KEPT * self._lately.get(name, 0.0) + new for name, new in came.items()}
        self._aliases = {entry.name: entry.record.alias for entry in entries}
        self._homes.clear()

    def homes(self, entry: Entry, clients: Sequence[EngineClient]) -> list[EngineClient]:
        """The servers that ``entry`` lives on: one if it is cold, more the more it is asked for."""
        by_url = {client.url: client for client in clients}
        found = self._homes_on(tuple(sorted(by_url))).get(entry.name)
        if found is None:  # it was not there at the last look
            [found] = homes([(entry.record.alias, 0.0)], list(by_url))
        return [by_url[url] for url in found]

    def _homes_on(self, servers: tuple[str, ...]) -> dict[str, list[str]]:
        if servers not in self._homes:
            total = sum(self._lately.values()) or 1.0
            names = sorted(self._aliases)
            asked = [(self._aliases[name], self._lately[name] / total) for name in names]
            self._homes[servers] = dict(zip(names, homes(asked, servers), strict=True))
        return self._homes[servers]


def in_order(entry: Entry, clients: Sequence[EngineClient]) -> list[EngineClient]:
    """All servers as the adapter prefers them, its homes first."""
    by_url = {client.url: client for client in clients}
    return [by_url[url] for url in order(entry.record.alias, by_url)]
