"""The rules of ``docs/scheduling.md``, in its words: who of those that wait goes next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, takewhile

from service.admission.places import Places
from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns


class Affinity:
    """Runs of one adapter, in which nobody goes much later than in the fair order.

    Between any two calls **as many turns are left in the order as there are who wait.** Who was let in before
    his turn leaves it in the order, where it stands for one who is due, whose own has gone by.
    """

    def __init__(self, extra_wait: float) -> None:
        self.slack = extra_wait
        self.turns = Turns()
        self._due: dict[Ticket, None] = {}  # the longest first
        self._others: dict[tuple[str | None, Priority], dict[Ticket, None]] = {}  # who came first is first

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out the first choice that may enter, which is one turn of the order, whoever it is."""
        latest = takewhile(lambda ticket: now - ticket.due >= self.slack, self._due)
        draining = places.draining({ticket.adapter for ticket in latest}, now - self.slack / 2)

        def may_enter(ticket: Ticket) -> bool:
            return places.fits(ticket.adapter) and ticket.adapter not in draining

        def preference(ticket: Ticket) -> tuple[float, ...]:
            if now - ticket.due >= self.slack / 2:
                return 0, ticket.due
            run, inside = ticket.adapter == places.entered, places.has(ticket.adapter)
            return 1, ticket.priority == "batch", not run, not inside, ticket.due, ticket.arrived

        if not any(map(may_enter, self._first_of_each())):
            return None
        self._pass_turn(now)
        ticket = min(filter(may_enter, self._first_of_each()), key=preference)
        self._forget(ticket)
        self.turns.gone(ticket)
        return ticket

    def _first_of_each(self) -> Iterator[Ticket]:
        """All who are due, and of each adapter and priority who came first of the others."""
        return chain(self._due, (next(iter(group)) for group in self._others.values()))

    def add(self, ticket: Ticket) -> None:
        self.turns.add(ticket)
        self._others.setdefault((ticket.adapter, ticket.priority), {})[ticket] = None

    def allowance(self, ticket: Ticket, now: float) -> float:
        """The extra wait, or as much as the latest is late, if nobody else waits for its adapter."""
        late = max((now - latest.due for latest in islice(self._due, 1)), default=0.0)
        if ticket.adapter is None or late <= self.slack:
            return self.slack
        others = (other.adapter for other in self.turns.waiting if other is not ticket)
        return self.slack if ticket.adapter in others else late

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget who waits, and a turn: his own, or the next if his own has gone by."""
        if ticket in self._due:
            self._pass_turn(now)
        else:
            self.turns.remove(ticket)
        self._forget(ticket)
        self.turns.gone(ticket)

    def _pass_turn(self, now: float) -> None:
        """The next turn of the fair order goes by; whose it is becomes due, if he still waits."""
        ticket = self.turns.next()
        if ticket.state is State.WAITING:
            self._forget(ticket)
            ticket.due = now
            self._due[ticket] = None

    def _forget(self, ticket: Ticket) -> None:
        if ticket in self._due:
            del self._due[ticket]
            return
        kind = (ticket.adapter, ticket.priority)
        del self._others[kind][ticket]
        if not self._others[kind]:
            del self._others[kind]
