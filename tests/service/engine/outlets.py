"""Where a streamed answer goes, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """An outlet whose connection is nobody's to borrow."""

    take: Callable[[bytes], bool]
    lends: bool = False

    def lend(self) -> None:
        """See :class:`service.engine.wire.Outlet`."""

    def abort(self) -> None:
        """See :class:`service.engine.wire.Outlet`."""

    def back(self, counted: bytes) -> None:
        """See :class:`service.engine.wire.Outlet`."""
