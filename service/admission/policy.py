"""What the scheduler asks of an order of those that wait.

A policy is told who came and who gave up, and asked who goes. It has no clock and does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from service.admission.ticket import Priority, Ticket


class Policy(Protocol):
    """The order of those that wait."""

    @property
    def slack(self) -> float:
        """Seconds that somebody may be let in later than his turn."""
        ...

    def __len__(self) -> int: ...

    def add(self, ticket: Ticket) -> None: ...

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget a ticket that waits."""
        ...

    def take(self, now: float, running: Mapping[str, int], places: int) -> Ticket | None:
        """Take out who goes next, None if nobody may.

        ``running`` counts the requests of each adapter in the engine, the one first that nobody entered for
        the longest time; ``places`` more adapters fit in, below 0 where there are too many.
        """
        ...

    def ahead(self, caller: str, priority: Priority) -> int:
        """How many of those that wait would go before a request that came now."""
        ...

    def distance(self, caller: str, priority: Priority) -> float:
        """How much of the order has to go by before a request that came now, in a measure of its own."""
        ...

    @property
    def passed(self) -> float:
        """How much of the order has gone by ever, in the same measure."""
        ...

    def last(self) -> Ticket | None:
        """Who would go last."""
        ...

    def goes_last(self, caller: str, priority: Priority) -> bool:
        """Whether a request that came now would go after all that wait."""
        ...
