"""Who of those that wait goes next: in runs of one adapter, nobody much later than in a fair order.

The rules, and why they are so, are in ``docs/scheduling.md``; each has a function here. The words: whose turn
of the fair order (``service.admission.turns``) has gone by and who still waits is *due*, and *late* by the
time since. Once anybody is late by half of ``extra_wait`` time *presses*. An adapter in the engine is
*closed* if nobody may enter it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns, by_turn

_PRIORITIES: tuple[Priority, ...] = ("interactive", "batch")


class Affinity:
    """The rules. A choice costs time in proportion to the adapters and the late who are waited for.

    What holds between any two calls: **as many turns are left in the order as there are who wait.** Who was
    let in before his turn leaves it in the order, where it stands for one who is due, whose own has gone by.
    So with each who stops waiting one turn goes out: the next, or his own if he gives up before it came.
    """

    def __init__(self, extra_wait: float) -> None:
        self.slack = extra_wait
        self._turns = Turns()
        self._due: dict[Ticket, None] = {}  # in the order in which their turns went by
        self._groups: dict[tuple[Priority, str | None], list[Ticket]] = {}  # each in the fair order
        self._run: str | None = None  # adapter that was chosen last; None: the base, which begins

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
            return ticket.fits(running, places) and ticket.adapter not in closed

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
        """Rule 2. Only who is due while time presses, and of batch while interactive requests wait."""
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
            key=lambda head: (head.priority == "batch", not head.has_place(running), *by_turn(head)),
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
    lacking = {ticket.adapter for ticket in late if not ticket.has_place(running)}
    half = max(1, (len(running) + places) // 2)
    return frozenset(islice(running, taken_away + min(max(0, len(lacking) - free), half)))
