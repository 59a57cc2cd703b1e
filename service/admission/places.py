"""The engine's places: one for each *different* adapter that runs. The base, None, needs none."""

from __future__ import annotations

from itertools import islice


class Places:
    """Which adapters are in the engine, which has the run, and which drain."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: dict[str, int] = {}  # requests of each; who was entered last is last
        self._since: dict[str, float] = {}  # when each got its place
        self.run: str | None = None  # the adapter that was entered last

    def has(self, adapter: str | None) -> bool:
        """Whether ``adapter`` has a place already, or needs none."""
        return adapter is None or adapter in self.running

    def fits(self, adapter: str | None) -> bool:
        """Whether ``adapter`` has a place, or gets a free one."""
        return self.has(adapter) or len(self.running) < self.total

    def enter(self, adapter: str | None, now: float) -> None:
        """A request of ``adapter`` goes in."""
        self.run = adapter
        if adapter is not None:
            self.running[adapter] = self.running.pop(adapter, 0) + 1  # now the last
            self._since.setdefault(adapter, now)

    def leave(self, adapter: str | None) -> None:
        """A request of ``adapter`` is out."""
        if adapter is not None:
            self.running[adapter] -= 1
            if not self.running[adapter]:
                del self.running[adapter], self._since[adapter]

    def draining(self, late: set[str | None], before: float) -> set[str]:
        """Adapters that nobody may enter, so that those of ``late`` get places; all had theirs ``before``."""
        lack = sum(not self.has(adapter) for adapter in late)
        if not lack:
            return set()
        free = max(0, self.total - len(self.running))
        lost = max(0, len(self.running) - self.total)  # there were more places when these went in
        count = max(0, lost + min(lack - free, max(1, self.total // 2)))
        return set(islice((adapter for adapter in self.running if self._since[adapter] < before), count))
