"""The rules of ``docs/scheduling.md``, in its words: who of those that wait goes next."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from itertools import chain, takewhile

from service.admission.places import Places
from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns, by_turn

_PRIORITIES: tuple[Priority, ...] = ("interactive", "batch")


class Affinity:
    """Runs of one adapter, in which nobody goes much later than in the fair order.

    What holds between any two calls: **as many turns are left in the order as there are who wait.** Who was
    let in before his turn leaves it in the order, where it stands for one who is due, whose own has gone by.
    """

    def __init__(self, extra_wait: float) -> None:
        self.slack = extra_wait
        self.turns = Turns()
        self._due: dict[Ticket, None] = {}  # the longest first
        self._groups: dict[tuple[Priority, str | None], list[Ticket]] = {}  # who waits, by turn
        self._run: str | None = None  # adapter that was chosen last; None: the base, which begins

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out the first choice that may enter, which is one turn of the order, whoever it is."""
        late = self._late(now, self.slack)
        presses = bool(self._late(now, self.slack / 2))
        draining = places.draining(ticket.adapter for ticket in late)
        for ticket in chain(late, self._of_the_run(presses), self._of_the_next_run(presses, places)):
            if places.fits(ticket.adapter) and ticket.adapter not in draining:
                self._run = ticket.adapter
                self._pass_turn(now)
                self._forget(ticket)
                return ticket
        return None

    def _late(self, now: float, seconds: float) -> list[Ticket]:
        """Rule 1: who is late by so many seconds, the longest first."""
        return list(takewhile(lambda ticket: now - ticket.due >= seconds, self._due))

    def _of_the_run(self, presses: bool) -> Iterator[Ticket]:
        """Rule 2: only who is due while time presses, and of batch while interactive requests wait."""
        people_wait = any(priority == "interactive" for priority, _ in self._groups)
        for priority in _PRIORITIES:
            group = self._groups.get((priority, self._run))
            only_due = presses or (priority == "batch" and people_wait)
            if group and (group[0] in self._due or not only_due):
                yield group[0]

    def _of_the_next_run(self, presses: bool, places: Places) -> Iterator[Ticket]:
        """Rule 3: who is latest while time presses, else who begins a run best."""
        if presses:
            yield from self._due
        yield from sorted(
            (group[0] for group in self._groups.values()),
            key=lambda ticket: (ticket.priority == "batch", not places.has(ticket.adapter), by_turn(ticket)),
        )

    def add(self, ticket: Ticket) -> None:
        self.turns.add(ticket)
        insort(self._groups.setdefault((ticket.priority, ticket.adapter), []), ticket, key=by_turn)

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget who waits, and a turn: his own, or the next if his own has gone by."""
        if ticket in self._due:
            self._pass_turn(now)
        else:
            self.turns.remove(ticket)
            for group in self._groups.values():  # others of his caller have moved up
                group.sort(key=by_turn)
        self._forget(ticket)

    def _pass_turn(self, now: float) -> None:
        """The next turn of the fair order goes by; whose it is becomes due, if he still waits."""
        ticket = self.turns.next()
        if ticket.state is State.WAITING:
            ticket.due = now
            self._due[ticket] = None

    def _forget(self, ticket: Ticket) -> None:
        self._due.pop(ticket, None)
        key = (ticket.priority, ticket.adapter)
        self._groups[key].remove(ticket)
        if not self._groups[key]:
            del self._groups[key]
