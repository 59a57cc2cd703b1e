"""Who of those that wait goes next: in runs of one adapter, nobody much later than in a fair order.

Beside what it does the policy keeps the books of a strict fair order (``service.admission.turns``): each time
somebody is let in, one turn of that order goes by. Whose turn has gone by and who still waits is *due*, and
*late* by the time since. What is chosen, first rule first:

1. Who is late by ``extra_wait`` or more: the one who has been due longest.
2. The run: one more of the adapter that was chosen last. When somebody is late by half of ``extra_wait``
   only those of it that are due themselves, so that the run soon ends; the same holds for requests of batch
   while interactive ones wait.
3. The next run: while nobody is late by half of ``extra_wait``, an interactive request before one of batch,
   and of these the earliest of an adapter that is in the engine already; else who has been due longest.

Where more adapters are wanted than the engine has places, somebody who is late by ``extra_wait`` and finds no
place has an adapter *closed*: nobody enters it until its last request is out, which is one answer later at
most. It is the one that nobody entered for the longest time, since that is out soonest and a popular one is
entered all the time. As many are closed as adapters are late without a place, half of the places at most: a
visit that ends before those who wait for it are in is a load for nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from itertools import islice

from service.admission.policies import fits
from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns, place

_PRIORITIES: tuple[Priority, ...] = ("interactive", "batch")


class Affinity:
    """The rules above. A choice costs time in proportion to the adapters that are waited for."""

    def __init__(self, extra_wait: float) -> None:
        self.slack = extra_wait
        self._turns = Turns()
        self._due: dict[Ticket, None] = {}  # in the order in which their turns went by
        self._groups: dict[tuple[Priority, str | None], list[Ticket]] = {}  # each in the fair order
        self._waiting = 0
        self._run: str | None = None  # adapter that was chosen last
        self._closed: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return self._waiting

    def add(self, ticket: Ticket) -> None:
        self._turns.add(ticket)
        insort(self._groups.setdefault((ticket.priority, ticket.adapter), []), ticket, key=place)
        self._waiting += 1

    def remove(self, ticket: Ticket, now: float) -> None:
        if ticket.due is None:
            self._turns.remove(ticket)
        else:
            self._pass_turn(now, None)  # the turn that it let go by is another's
        self._forget(ticket)

    def take(self, now: float, running: Mapping[str, int], places: int) -> Ticket | None:
        late = self._late(now, self.slack)
        self._closed = self._closed_for(late, running, places)
        chosen = self._choose(late, bool(late or self._late(now, self.slack / 2)), running, places)
        if chosen is not None:
            self._run = chosen.adapter
            self._pass_turn(now, chosen)
            self._forget(chosen)
        return chosen

    def ahead(self, caller: str, priority: Priority) -> int:
        return self._turns.ahead(caller, priority)  # who is late has the turn of one who went early

    def distance(self, caller: str, priority: Priority) -> float:
        return self._turns.distance(caller, priority)

    @property
    def passed(self) -> float:
        return self._turns.passed

    def last(self) -> Ticket | None:
        return self._turns.last() or next(reversed(self._due), None)

    def goes_last(self, caller: str, priority: Priority) -> bool:
        last = self._turns.last()
        return last is None or self._turns.tag_of(caller, priority) >= last.tag

    def _choose(
        self, late: list[Ticket], pressed: bool, running: Mapping[str, int], places: int
    ) -> Ticket | None:
        def may(ticket: Ticket) -> bool:
            return fits(ticket, running, places) and ticket.adapter not in self._closed

        for ticket in late:
            if may(ticket):
                return ticket
        for priority in _PRIORITIES:
            group = self._groups.get((priority, self._run))
            only_due = pressed or (priority == "batch" and self._somebody_is_watching())
            if group and may(group[0]) and (group[0].due is not None or not only_due):
                return group[0]
        if pressed:
            for ticket in self._due:
                if may(ticket):
                    return ticket
        heads = [group[0] for group in self._groups.values() if may(group[0])]
        return min(
            heads,
            key=lambda head: (head.priority == "batch", not self._runs(head, running), *place(head)),
            default=None,
        )

    def _somebody_is_watching(self) -> bool:
        """Whether an interactive request waits."""
        return any(priority == "interactive" for priority, _ in self._groups)

    @staticmethod
    def _runs(ticket: Ticket, running: Mapping[str, int]) -> bool:
        return ticket.adapter is None or ticket.adapter in running

    def _late(self, now: float, seconds: float) -> list[Ticket]:
        """Who is late by ``seconds`` or more, longest first."""
        found = []
        for ticket in self._due:
            if ticket.due is None or now - ticket.due < seconds:
                break
            found.append(ticket)
        return found

    def _closed_for(self, late: list[Ticket], running: Mapping[str, int], places: int) -> frozenset[str]:
        """Who is closed while some who are late find no place, and where places were taken away."""
        over = max(0, -places)
        lacking = len({ticket.adapter for ticket in late if not self._runs(ticket, running)})
        half = max(1, (len(running) + places) // 2)
        return frozenset(islice(running, over + min(max(0, lacking - max(0, places)), half)))

    def _pass_turn(self, now: float, chosen: Ticket | None) -> None:
        """One turn of the fair order goes by; whose it is becomes due, if he still waits."""
        ticket = self._turns.next()
        if ticket.state is State.WAITING:
            ticket.due = now
            if ticket is not chosen:
                self._due[ticket] = None

    def _forget(self, ticket: Ticket) -> None:
        self._due.pop(ticket, None)
        key = (ticket.priority, ticket.adapter)
        group = self._groups[key]
        del group[bisect_left(group, place(ticket), key=place)]
        if not group:
            del self._groups[key]
        self._waiting -= 1
        if not self._waiting:
            self._turns.clear()
