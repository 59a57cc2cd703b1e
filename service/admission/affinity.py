"""Who of those that wait goes next: in runs of one adapter, nobody much later than in a fair order.

Beside what it does the policy keeps the books of a strict fair order (``service.admission.turns``): each time
somebody is let in, one turn of that order goes by, whoever it is that was let in. Whose turn has gone by and
who still waits is *due*, and *late* by the time since. Once anybody is late by half of ``extra_wait`` time
*presses*. Who goes next, by the first of three rules that finds somebody who may:

1. Who is late by ``extra_wait`` or more, the longest first.
2. The run: one more of the adapter that was chosen last. While time presses only who is due himself, so that
   the run soon ends; the same holds for requests of batch while interactive ones wait.
3. The next run: an interactive request before one of batch, and of these the earliest of an adapter that is
   in the engine already. While time presses: who has been due longest.

Who is late by ``extra_wait`` and finds no place for his adapter has one *closed* that is in the engine:
nobody enters it until its last request is out, which is one answer later at most. It is the one that nobody
entered for the longest time, since that is out soonest and a popular one is entered all the time. As many are
closed as adapters are late without a place, half of the places at most: a visit that ends before those who
wait for it are in is a load for nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from service.admission.policies import fits, has_place
from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns, by_turn

_PRIORITIES: tuple[Priority, ...] = ("interactive", "batch")


class Affinity:
    """The rules above. A choice costs time in proportion to the adapters that are waited for.

    What holds between any two calls: **as many turns are left in the order as there are who wait.** Who was
    let in before his turn leaves it in the order, where it stands for one who is due, whose own has gone by.
    So with each who stops waiting one turn goes out: the next, or his own if he gives up before it came.
    """

    def __init__(self, extra_wait: float) -> None:
        self.slack = extra_wait
        self._turns = Turns()
        self._due: dict[Ticket, None] = {}  # in the order in which their turns went by
        self._groups: dict[tuple[Priority, str | None], list[Ticket]] = {}  # each in the fair order
        self._run: str | None = None  # adapter that was chosen last

    def __len__(self) -> int:
        return len(self._turns)

    def add(self, ticket: Ticket) -> None:
        self._turns.add(ticket)
        insort(self._groups.setdefault((ticket.priority, ticket.adapter), []), ticket, key=by_turn)

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget a ticket that waits, and take its turn out of the order.

        The turn of one who is due has gone by. Another's, who went early, stands for it: so the next one goes
        by now, or those behind would be told of one more than waits.
        """
        if ticket.due is None:
            self._turns.remove(ticket)
        else:
            self._pass_turn(now)
        self._forget(ticket)

    def take(self, now: float, running: Mapping[str, int], places: int) -> Ticket | None:
        """Take out who goes next by the rules, which is one turn of the order, whoever it is."""
        late = list(self._late(now, self.slack))
        presses = any(self._late(now, self.slack / 2))
        closed = _closed(late, running, places)

        def may(ticket: Ticket) -> bool:
            return fits(ticket, running, places) and ticket.adapter not in closed

        chosen = (
            next(filter(may, late), None)
            or self._of_the_run(may, presses)
            or self._of_the_next_run(may, presses, running)
        )
        if chosen is not None:
            self._run = chosen.adapter
            self._pass_turn(now)
            self._forget(chosen)
        return chosen

    def ahead(self, caller: str, priority: Priority) -> int:
        """As many as there are turns before, since each who is due has one of those who went early."""
        return self._turns.ahead(caller, priority)

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

    def _of_the_run(self, may: Callable[[Ticket], bool], presses: bool) -> Ticket | None:
        """Rule 2."""
        people_wait = any(priority == "interactive" for priority, _ in self._groups)
        for priority in _PRIORITIES:
            group = self._groups.get((priority, self._run))
            only_due = presses or (priority == "batch" and people_wait)
            if group and may(group[0]) and (group[0].due is not None or not only_due):
                return group[0]
        return None

    def _of_the_next_run(
        self, may: Callable[[Ticket], bool], presses: bool, running: Mapping[str, int]
    ) -> Ticket | None:
        """Rule 3. While time presses and none of those who are due may go, it is as if it did not."""
        if presses and (due := next(filter(may, self._due), None)) is not None:
            return due
        heads = (group[0] for group in self._groups.values() if may(group[0]))
        return min(
            heads,
            key=lambda head: (head.priority == "batch", not has_place(head, running), *by_turn(head)),
            default=None,
        )

    def _late(self, now: float, seconds: float) -> Iterator[Ticket]:
        """Who is late by ``seconds`` or more, the longest first."""
        return takewhile(lambda ticket: ticket.due is not None and now - ticket.due >= seconds, self._due)

    def _pass_turn(self, now: float) -> None:
        """The next turn of the fair order goes by; whose it is becomes due, if he still waits."""
        ticket = self._turns.next()
        if ticket.state is State.WAITING:
            ticket.due = now
            self._due[ticket] = None

    def _forget(self, ticket: Ticket) -> None:
        """Who waits is one less. A turn of the order is gone for it already."""
        self._due.pop(ticket, None)
        key = (ticket.priority, ticket.adapter)
        group = self._groups[key]
        del group[bisect_left(group, by_turn(ticket), key=by_turn)]
        if not group:
            del self._groups[key]
        if not self._groups:
            self._turns.clear()


def _closed(late: Sequence[Ticket], running: Mapping[str, int], places: int) -> frozenset[str]:
    """The adapters in the engine that nobody may enter, for the sake of those who are ``late``.

    ``running`` and ``places`` as in :meth:`Policy.take`. Where places were taken away (``places`` is below 0)
    as many are closed for that.
    """
    taken_away, free = max(0, -places), max(0, places)
    lacking = {ticket.adapter for ticket in late if not has_place(ticket, running)}
    half = max(1, (len(running) + places) // 2)
    return frozenset(islice(running, taken_away + min(max(0, len(lacking) - free), half)))
