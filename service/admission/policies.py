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


class FirstCome:
    """First come, first served, whoever it is. Who finds no place for his adapter holds up all behind him."""

    slack = 0.0

    def __init__(self) -> None:
        self._tickets: dict[Ticket, None] = {}
        self.passed = 0.0

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket] = None

    def remove(self, ticket: Ticket, now: float) -> None:
        del self._tickets[ticket]
        self.passed += 1

    def take(self, now: float, running: Mapping[str, int], places: int) -> Ticket | None:
        head = next(iter(self._tickets), None)
        if head is None or not fits(head, running, places):
            return None
        self.remove(head, now)
        head.due = now
        return head

    def ahead(self, caller: str, priority: Priority) -> int:
        return len(self._tickets)

    def distance(self, caller: str, priority: Priority) -> float:
        return len(self._tickets)

    def last(self) -> Ticket | None:
        return next(reversed(self._tickets), None)

    def goes_last(self, caller: str, priority: Priority) -> bool:
        return True


def has_place(ticket: Ticket, running: Mapping[str, int]) -> bool:
    """Whether the ticket's adapter has its place in the engine already, or needs none."""
    return ticket.adapter is None or ticket.adapter in running


def fits(ticket: Ticket, running: Mapping[str, int], places: int) -> bool:
    """Whether the engine has a place for the ticket's adapter, its own or a free one."""
    return places > 0 or has_place(ticket, running)
