"""The fair order of those who wait: after ten interactive turns one of batch, and in both callers in turn.

Fair queueing by round robin (Nagle, RFC 970), within each of two classes that share by weight. The clock of a
class is its rounds (Demers, Keshav and Shenker, SIGCOMM 1989): a turn is as much of a round as there are
callers. Where it departs from both: a request counts as one, since its length is not known before it ends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from service.admission.ticket import Priority, Ticket

SHARE = 10  # interactive turns for one of batch


@dataclass(eq=False)
class Line:
    """The callers of one priority."""

    callers: dict[str, dict[Ticket, None]] = field(default_factory=dict)  # the first has the next turn
    turns: int = 0  # that have not come yet
    rounds: float = 0.0  # that have gone by ever
    waiting: Counter[str] = field(default_factory=Counter)  # how many of each caller


class Turns:
    """Who waits, and turns that have not come yet: a turn stays if its request is let in first."""

    def __init__(self) -> None:
        self._interactive, self._batch = Line(), Line()
        self.lines: dict[Priority, Line] = {"interactive": self._interactive, "batch": self._batch}
        self.waiting: dict[Ticket, None] = {}  # who came first is first
        self.passed = 0  # turns that have gone by ever
        self._since_batch = 0  # interactive turns

    def __len__(self) -> int:
        return self._interactive.turns + self._batch.turns

    def of(self, ticket: Ticket) -> tuple[Line, str]:
        """The line of ``ticket``, and its caller there."""
        return self.lines[ticket.priority], ticket.caller

    def add(self, ticket: Ticket) -> None:
        line, caller = self.of(ticket)
        line.callers.setdefault(caller, {})[ticket] = self.waiting[ticket] = None
        line.turns += 1
        line.waiting[caller] += 1

    def gone(self, ticket: Ticket) -> None:
        """A ticket waits no more. Its turn may be left."""
        line, caller = self.of(ticket)
        del self.waiting[ticket]
        line.waiting[caller] -= 1
        if not line.waiting[caller]:
            del line.waiting[caller]

    def remove(self, ticket: Ticket) -> None:
        """Forget a ticket that is still in the order; those of its caller move up."""
        line, caller = self.of(ticket)
        del line.callers[caller][ticket]
        if not line.callers[caller]:
            del line.callers[caller]
        line.turns -= 1

    def next(self) -> Ticket:
        """Take out whose turn it is."""
        of_batch = self._batch.turns and (self._since_batch >= SHARE or not self._interactive.turns)
        self._since_batch = 0 if of_batch else self._since_batch + 1
        line = self._batch if of_batch else self._interactive
        line.rounds += 1 / len(line.callers)
        self.passed += 1
        caller = next(iter(line.callers))
        tickets = line.callers[caller] = line.callers.pop(caller)  # now the last
        ticket = next(iter(tickets))
        self.remove(ticket)
        return ticket

    def last(self) -> Ticket:
        """The last of the caller who has most that wait, in the line that has more than its share of them.

        Turns tell less: they may be of requests that were let in, and who is due has none.
        """
        of_batch = SHARE * self._batch.waiting.total() >= self._interactive.waiting.total()
        line = self._batch if of_batch else self._interactive
        most = max(line.waiting.values())
        callers = ((ticket, *self.of(ticket)) for ticket in reversed(self.waiting))
        return next(ticket for ticket, own, caller in callers if own is line and own.waiting[caller] == most)
