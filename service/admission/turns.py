"""The fair order of those who wait: after ten interactive turns one of batch, and in both callers in turn.

Fair queueing by round robin (Nagle, RFC 970), within each of two classes that share by weight. The clock of a
class is its rounds (Demers, Keshav and Shenker, SIGCOMM 1989): a turn is as much of a round as there are
callers. Where it departs from both: a request counts as one, since its length is not known before it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from service.admission.ticket import Priority, State, Ticket

SHARE = 10  # interactive turns for one of batch


@dataclass(eq=False)
class Line:
    """The callers of one priority."""

    callers: dict[str, dict[Ticket, None]] = field(default_factory=dict)  # the first has the next turn
    turns: int = 0  # that have not come yet
    rounds: float = 0.0  # that have gone by ever


class Turns:
    """Turns that have not come yet. A turn stays in the order if its request is let in before it comes."""

    def __init__(self) -> None:
        self._interactive, self._batch = Line(), Line()
        self.lines: dict[Priority, Line] = {"interactive": self._interactive, "batch": self._batch}
        self.passed = 0  # turns that have gone by ever
        self._since_batch = 0  # interactive turns

    def __len__(self) -> int:
        return self._interactive.turns + self._batch.turns

    def of(self, ticket: Ticket) -> tuple[Line, str]:
        """The line of ``ticket``, and its caller there."""
        return self.lines[ticket.priority], ticket.caller

    def add(self, ticket: Ticket) -> None:
        line, caller = self.of(ticket)
        line.callers.setdefault(caller, {})[ticket] = None
        line.turns += 1

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

    def last(self) -> Ticket | None:
        """Whose turn comes last, of those that still wait for theirs."""
        of_batch = SHARE * self._batch.turns >= self._interactive.turns
        line = self._batch if of_batch else self._interactive
        longest = max(reversed(line.callers.values()), key=len, default={})
        return next((ticket for ticket in reversed(longest) if ticket.state is State.WAITING), None)
