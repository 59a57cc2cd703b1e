"""The fair order of those who wait: callers in turn, ten interactive requests for each one of batch.

Self-clocked fair queueing (Golestani, INFOCOM 1994): a request's tag is ``max(V, F) + 1 / w``, F the last tag
of its flow (a caller and a priority), w the flow's weight, V the tag of whoever had the last turn. The
smallest tag goes next. One caller alone gets first come, first served. Where it departs from the paper: every
request counts as 1, since its length is not known before it ends.

A turn is what the order *would* give: it goes by whether or not the request was let in before.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from service.admission.ticket import Priority, State, Ticket

COST: dict[Priority, float] = {"interactive": 1.0, "batch": 10.0}
_FLOWS = 1_000  # remembered before those that have caught up are forgotten


def by_turn(ticket: Ticket) -> tuple[float, int]:
    """What tickets are sorted by."""
    return ticket.tag, ticket.number


class Turns:
    """Tickets whose turn has not come yet, in the fair order."""

    def __init__(self) -> None:
        self._order: list[Ticket] = []
        self._last: dict[tuple[str, Priority], float] = {}
        self._now = 0.0  # V
        self._before = 0.0  # what V had come to each time that all began anew
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
            self._last = {flow: tag for flow, tag in self._last.items() if tag > self._now}

    def remove(self, ticket: Ticket) -> None:
        """Forget a ticket that is still in the order; its flow is not charged for it if it was the last."""
        at = bisect_right(self._order, by_turn(ticket), key=by_turn) - 1
        del self._order[at]
        flow = (ticket.caller, ticket.priority)
        if self._last.get(flow) == ticket.tag:
            self._last[flow] = ticket.tag - COST[ticket.priority]

    def next(self) -> Ticket:
        """Take out whose turn it is."""
        ticket = self._order.pop(0)
        self._now = ticket.tag
        return ticket

    def ahead(self, caller: str, priority: Priority) -> int:
        """Turns before that of a request which came now."""
        tag = self.tag_of(caller, priority)
        return bisect_right(self._order, tag, key=lambda ticket: ticket.tag)

    @property
    def passed(self) -> float:
        """How far V has come, ever."""
        return self._before + self._now

    def distance(self, caller: str, priority: Priority) -> float:
        """How far V has to come for a request that came now."""
        return self.tag_of(caller, priority) - self._now

    def last(self) -> Ticket | None:
        """Of those who wait the one with the latest turn."""
        return next((ticket for ticket in reversed(self._order) if ticket.state is State.WAITING), None)

    def clear(self) -> None:
        """Begin anew: nobody waits, so nobody is owed anything."""
        self._order.clear()
        self._last.clear()
        self._before += self._now
        self._now = 0.0

    def tag_of(self, caller: str, priority: Priority) -> float:
        """The tag that a request would get now."""
        return max(self._now, self._last.get((caller, priority), 0.0)) + COST[priority]
