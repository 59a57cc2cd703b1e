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

Where more adapters are wanted than the engine has places, somebody who is late by half of ``extra_wait`` and
finds no place has the adapter *closed* that has the fewest requests, running and waiting: nobody enters it
until its last request is out. One at a time: closing several had the popular ones go in and out, and cost a
sixth of the throughput (``docs/scheduling.md``).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

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
        self._closed: str | None = None

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
        pressed = self._late(now, self.slack / 2)
        self._close_for(pressed, running, places)
        chosen = self._choose(now, bool(pressed), running, places)
        if chosen is not None:
            self._run = chosen.adapter
            self._pass_turn(now, chosen)
            self._forget(chosen)
        return chosen

    def ahead(self, caller: str, priority: Priority) -> int:
        return self._turns.ahead(caller, priority)  # who is late has the turn of one who went early

    def last(self) -> Ticket | None:
        return self._turns.last() or next(reversed(self._due), None)

    def goes_last(self, caller: str, priority: Priority) -> bool:
        last = self._turns.last()
        return last is None or self._turns.tag_of(caller, priority) >= last.tag

    def _choose(self, now: float, pressed: bool, running: Mapping[str, int], places: int) -> Ticket | None:
        def may(ticket: Ticket) -> bool:
            return fits(ticket, running, places) and (
                ticket.adapter is None or ticket.adapter != self._closed
            )

        for ticket in self._late(now, self.slack):
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

    def _close_for(self, pressed: list[Ticket], running: Mapping[str, int], places: int) -> None:
        """Have one adapter closed while somebody late finds no place, the same one until it is out."""
        if places or all(self._runs(ticket, running) for ticket in pressed):
            self._closed = None
        elif self._closed not in running:
            self._closed = min(running, key=lambda one: (running[one] + self._wanted(one), one))

    def _wanted(self, adapter: str) -> int:
        """How many wait for it."""
        return sum(len(self._groups.get((priority, adapter), ())) for priority in _PRIORITIES)

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
