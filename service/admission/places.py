"""The engine's places, one for each *different* adapter that runs, and who may enter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice


class Places:
    """So many different adapters fit into the engine; the base, None, needs no place."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: dict[str, int] = {}  # requests; the adapter first that nobody entered for longest

    @property
    def free(self) -> int:
        """Below 0 where some were taken away."""
        return self.total - len(self.running)

    def has(self, adapter: str | None) -> bool:
        """Whether ``adapter`` has its place already, or needs none."""
        return adapter is None or adapter in self.running

    def fits(self, adapter: str | None) -> bool:
        """Whether there is a place for ``adapter``, its own or a free one."""
        return self.free > 0 or self.has(adapter)

    def enter(self, adapter: str | None) -> None:
        """A request of ``adapter`` goes in."""
        if adapter is not None:
            self.running[adapter] = self.running.pop(adapter, 0) + 1  # now the last

    def leave(self, adapter: str | None) -> None:
        """A request of ``adapter`` is out."""
        if adapter is not None:
            self.running[adapter] -= 1
            if not self.running[adapter]:
                del self.running[adapter]

    def draining(self, late: Iterable[str | None]) -> set[str]:
        """Adapters that nobody may enter, so that those that somebody is ``late`` for get their places.

        As many more where places were taken away.
        """
        lacking = {adapter for adapter in late if not self.has(adapter)}
        half = max(1, self.total // 2)
        count = max(0, -self.free) + min(max(0, len(lacking) - max(0, self.free)), half)
        return set(islice(self.running, count))
