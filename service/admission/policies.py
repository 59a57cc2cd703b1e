"""Who of those that wait goes next: strictly first come, first served.

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

        ``running`` counts the requests of each adapter in the engine; ``places`` more adapters fit in.
        """
        ...

    def ahead(self, caller: str, priority: Priority) -> int:
        """How many would go before a request that came now."""
        ...

    def last(self) -> Ticket | None:
        """Who would go last."""
        ...

    def goes_last(self, caller: str, priority: Priority) -> bool:
        """Whether a request that came now would go after all that wait."""
        ...


class FirstCome:
    """First come, first served, whoever it is. Who finds no place for his adapter holds up all behind him."""

    slack = 0.0

    def __init__(self) -> None:
        self._tickets: dict[Ticket, None] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket] = None

    def remove(self, ticket: Ticket, now: float) -> None:
        del self._tickets[ticket]

    def take(self, now: float, running: Mapping[str, int], places: int) -> Ticket | None:
        head = next(iter(self._tickets), None)
        if head is None or not fits(head, running, places):
            return None
        del self._tickets[head]
        head.due = now
        return head

    def ahead(self, caller: str, priority: Priority) -> int:
        return len(self._tickets)

    def last(self) -> Ticket | None:
        return next(reversed(self._tickets), None)

    def goes_last(self, caller: str, priority: Priority) -> bool:
        return True


def fits(ticket: Ticket, running: Mapping[str, int], places: int) -> bool:
    """Whether the engine has a place for the ticket's adapter."""
    return ticket.adapter is None or places > 0 or ticket.adapter in running
