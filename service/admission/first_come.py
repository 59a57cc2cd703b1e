"""Strictly first come, first served: for comparison, and where nobody shares the engine."""

from __future__ import annotations

from service.admission.places import Places
from service.admission.ticket import Priority, Ticket


class FirstCome:
    """First come, first served, whoever it is. Who finds no place for his adapter holds up all behind him."""

    slack = 0.0

    def __init__(self) -> None:
        self._tickets: dict[Ticket, None] = {}
        self.passed = 0.0

    @property
    def turns(self) -> FirstCome:
        return self

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket] = None

    def remove(self, ticket: Ticket, now: float) -> None:
        del self._tickets[ticket]
        self.passed += 1

    def take(self, now: float, places: Places) -> Ticket | None:
        head = next(iter(self._tickets), None)
        if head is None or not places.fits(head.adapter):
            return None
        self.remove(head, now)
        return head

    def later_than(self, caller: str, priority: Priority) -> Ticket | None:
        return None

    def ahead(self, caller: str, priority: Priority) -> int:
        return len(self._tickets)

    def distance(self, caller: str, priority: Priority) -> float:
        return len(self._tickets)
