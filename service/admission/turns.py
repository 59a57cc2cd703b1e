"""The fair order of those who wait: callers in turn, a caller's batch with a tenth of the weight.

Self-clocked fair queueing (Golestani, INFOCOM 1994): a request's tag is ``max(V, F) + 1 / w``, F the last tag
of its flow (a caller and a priority), w the flow's weight, V the tag of whoever had the last turn. The
smallest tag goes next. Where it departs from the paper: every request counts as 1, since its length is not
known before it ends.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from service.admission.ticket import Priority, State, Ticket

COST: dict[Priority, float] = {"interactive": 1.0, "batch": 10.0}  # 1 / w
_FLOWS = 1_000  # remembered before those that have caught up are forgotten


def by_turn(ticket: Ticket) -> tuple[float, int]:
    """What tickets are sorted by."""
    return ticket.tag, ticket.number


class Turns:
    """Turns that have not come yet. A turn stays in the order if its request is let in before it comes."""

    def __init__(self) -> None:
        self._order: list[Ticket] = []
        self._last: dict[tuple[str, Priority], float] = {}  # F
        self.passed = 0.0  # V
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._order)

    def add(self, ticket: Ticket) -> None:
        """Give ``ticket`` its tag and its place."""
        flow = (ticket.caller, ticket.priority)
        ticket.tag = self.tag_of(*flow)
        self._arrivals += 1
        ticket.number = self._arrivals
        self._last[flow] = ticket.tag
        insort(self._order, ticket, key=by_turn)
        if len(self._last) > _FLOWS:
            self._last = {flow: tag for flow, tag in self._last.items() if tag > self.passed}

    def next(self) -> Ticket:
        """Take out whose turn it is."""
        ticket = self._order[0]
        self._take_out(ticket)
        self.passed = ticket.tag
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Forget a ticket that is still in the order: those of its flow behind it move up by its turn."""
        flow = (ticket.caller, ticket.priority)
        self._take_out(ticket)
        free, last = ticket.tag, ticket.tag
        for other in self._order[bisect_left(self._order, ticket.tag, key=lambda one: one.tag) :]:
            if (other.caller, other.priority) != flow:
                continue
            if other.tag > last + COST[ticket.priority]:  # the flow had caught up: it owes nothing for that
                break
            last, other.tag, free = other.tag, free, other.tag
        self._order.sort(key=by_turn)
        if self._last.get(flow) == last:
            self._last[flow] = last - COST[ticket.priority]

    def tag_of(self, caller: str, priority: Priority) -> float:
        """The tag that a request would get now."""
        return max(self.passed, self._last.get((caller, priority), 0.0)) + COST[priority]

    def ahead(self, caller: str, priority: Priority) -> int:
        return bisect_right(self._order, self.tag_of(caller, priority), key=lambda ticket: ticket.tag)

    def distance(self, caller: str, priority: Priority) -> float:
        return self.tag_of(caller, priority) - self.passed

    def later_than(self, caller: str, priority: Priority) -> Ticket | None:
        last = next((ticket for ticket in reversed(self._order) if ticket.state is State.WAITING), None)
        return last if last is not None and last.tag > self.tag_of(caller, priority) else None

    def _take_out(self, ticket: Ticket) -> None:
        self._order.remove(ticket)
        if not self._order:  # nobody is owed anything
            self._last.clear()
