"""What the scheduler asks of an order of those that wait.

A policy is told who came and who gave up, and asked who goes. It has no clock and does no I/O.
"""

from __future__ import annotations

from typing import Protocol

from service.admission.places import Places
from service.admission.ticket import Ticket
from service.admission.turns import Turns


class Policy(Protocol):
    """Who of those that wait goes next."""

    @property
    def turns(self) -> Turns:
        """Who waits, and as many turns in a fair order."""
        ...

    def add(self, ticket: Ticket) -> None: ...

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget a ticket that waits."""
        ...

    def allowance(self, ticket: Ticket, now: float) -> float:
        """Seconds after its turn at which a ticket that has just come to wait may be let in."""
        ...

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out who goes next into the engine that has these ``places``; None if nobody may."""
        ...
