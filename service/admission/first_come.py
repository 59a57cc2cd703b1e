"""Strictly first come, first served: for comparison, and where nobody shares the engine."""

from __future__ import annotations

from collections.abc import Iterable

from service.admission.places import Places
from service.admission.ticket import Ticket
from service.admission.turns import Line, Turns


class OneLine(Turns):
    """The order in which all are one caller."""

    def line_and_caller(self, ticket: Ticket) -> tuple[Line, str]:
        return self.lines["interactive"], ""


class FirstCome:
    """First come, first served, whoever it is. Who finds no place for his adapter holds up all behind him."""

    def __init__(self) -> None:
        self.turns = OneLine()

    @property
    def waiting(self) -> Iterable[Ticket]:
        """Who came first is first."""
        return self.turns.lines["interactive"].callers.get("", ())

    def add(self, ticket: Ticket) -> None:
        self.turns.add(ticket)

    def remove(self, ticket: Ticket, now: float) -> None:
        self.turns.remove(ticket)

    def late(self, ticket: Ticket, now: float) -> float:
        return 0.0

    def allowance(self, ticket: Ticket, now: float) -> float:
        return 0.0

    def take(self, now: float, places: Places) -> Ticket | None:
        head = next(iter(self.waiting), None)
        return self.turns.next() if head is not None and places.fits(head.adapter) else None
