"""The engine's places, one for each *different* adapter that runs, and who may enter."""

from __future__ import annotations

from itertools import islice


class Places:
    """So many different adapters fit into the engine; the base, None, needs no place."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: dict[str, int] = {}  # requests; the adapter first that nobody entered for longest
        self._since: dict[str, float] = {}  # when each got its place
        self.entered: str | None = None  # the last that somebody entered: the run

    def has(self, adapter: str | None) -> bool:
        """Whether ``adapter`` has its place already, or needs none."""
        return adapter is None or adapter in self.running

    def fits(self, adapter: str | None) -> bool:
        """Whether there is a place for ``adapter``, its own or a free one."""
        return self.has(adapter) or len(self.running) < self.total

    def enter(self, adapter: str | None, now: float) -> None:
        """A request of ``adapter`` goes in."""
        self.entered = adapter
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
        """Adapters that nobody may enter, so that those that somebody is ``late`` for get their places.

        They are of those that got theirs ``before``: with one place for all, each is to take in a run.
        """
        lack = sum(not self.has(adapter) for adapter in late)
        if not lack:
            return set()
        lost = max(0, len(self.running) - self.total)
        count = min(lack + len(self.running) - self.total, lost + max(1, self.total // 2))
        stayed = (adapter for adapter in self.running if self._since[adapter] < before)
        return set(islice(stayed, max(0, count)))
