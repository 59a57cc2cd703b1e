"""The engine's places, one for each *different* adapter that runs, and who may enter."""

from __future__ import annotations

from itertools import islice


class Places:
    """So many different adapters fit into the engine; the base, None, needs no place."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: dict[str, int] = {}  # requests; the adapter first that nobody entered for longest
        self.entered: str | None = None  # the last that somebody entered: the run

    def has(self, adapter: str | None) -> bool:
        """Whether ``adapter`` has its place already, or needs none."""
        return adapter is None or adapter in self.running

    def fits(self, adapter: str | None) -> bool:
        """Whether there is a place for ``adapter``, its own or a free one."""
        return self.has(adapter) or len(self.running) < self.total

    def enter(self, adapter: str | None) -> None:
        """A request of ``adapter`` goes in."""
        self.entered = adapter
        if adapter is not None:
            self.running[adapter] = self.running.pop(adapter, 0) + 1  # now the last

    def leave(self, adapter: str | None) -> None:
        """A request of ``adapter`` is out."""
        if adapter is not None:
            self.running[adapter] -= 1
            if not self.running[adapter]:
                del self.running[adapter]

    def draining(self, late: set[str | None]) -> set[str]:
        """Adapters that nobody may enter, so that those that somebody is ``late`` for get their places."""
        lack = sum(not self.has(adapter) for adapter in late)
        too_many = lack and lack + len(self.running) - self.total
        return set(islice(self.running, max(0, min(too_many, max(1, self.total // 2)))))
