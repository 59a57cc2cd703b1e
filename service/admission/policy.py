"""What the scheduler asks of an order of those that wait.

A policy is told who came and who gave up, and asked who goes. It has no clock and does no I/O.
"""

from __future__ import annotations

from typing import Protocol

from service.admission.places import Places
from service.admission.ticket import Priority, Ticket


class Order(Protocol):
    """What is asked of those that wait for the sake of one who would come now."""

    @property
    def passed(self) -> float:
        """How much of the order has gone by ever, in a measure of its own."""
        ...

    def __len__(self) -> int:
        """As many as wait."""
        ...

    def distance(self, caller: str, priority: Priority) -> float:
        """How much of the order has to go by before his turn, in the same measure."""
        ...

    def ahead(self, caller: str, priority: Priority) -> int:
        """How many turns come before his."""
        ...

    def later_than(self, caller: str, priority: Priority) -> Ticket | None:
        """Whose turn comes last, if it comes after his; else None."""
        ...


class Policy(Protocol):
    """Who of those that wait goes next."""

    @property
    def slack(self) -> float:
        """Seconds that somebody may be let in later than his turn."""
        ...

    @property
    def turns(self) -> Order:
        """The order in which their turns come."""
        ...

    def add(self, ticket: Ticket) -> None: ...

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget a ticket that waits."""
        ...

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out who goes next into the engine that has these ``places``; None if nobody may."""
        ...
