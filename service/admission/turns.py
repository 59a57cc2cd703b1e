"""The fair order: ten interactive turns, then one of batch; in each of the two, callers take turns.

Round robin (Nagle, RFC 970) in two lines that share by weight. A line's clock is its rounds (Demers, Keshav
and Shenker, SIGCOMM 1989): in a round each of its callers has one turn. Where this departs from both: every
request counts the same, since its length is not known before it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from service.admission.ticket import Priority, Ticket

SHARE = 10  # interactive turns for one of batch


@dataclass(eq=False)
class Line:
    """The turns of one priority."""

    callers: dict[str, dict[Ticket, None]] = field(default_factory=dict)  # the first has the next turn
    rounds: float = 0.0  # that have gone by ever


class Turns:
    """The turns that have not come yet, in the fair order."""

    def __init__(self) -> None:
        self.lines: dict[Priority, Line] = {"interactive": Line(), "batch": Line()}
        self.passed = 0  # turns that have gone by ever
        self._since_batch = 0  # interactive turns

    def line_and_caller(self, ticket: Ticket) -> tuple[Line, str]:
        """The line of ``ticket``, and who it is of there."""
        return self.lines[ticket.priority], ticket.caller

    def add(self, ticket: Ticket) -> None:
        """The last turn of its caller from now on."""
        line, caller = self.line_and_caller(ticket)
        line.callers.setdefault(caller, {})[ticket] = None

    def remove(self, ticket: Ticket) -> None:
        """Take a turn out that has not come; later ones of its caller move up."""
        line, caller = self.line_and_caller(ticket)
        del line.callers[caller][ticket]
        if not line.callers[caller]:
            del line.callers[caller]

    def next(self) -> Ticket:
        """The next turn goes by: whose it is. It may have been let in before, and left its turn."""
        interactive, batch = self.lines.values()
        of_batch = batch.callers and (self._since_batch >= SHARE or not interactive.callers)
        self._since_batch = 0 if of_batch else self._since_batch + 1
        line = batch if of_batch else interactive
        line.rounds += 1 / len(line.callers)
        self.passed += 1
        caller = next(iter(line.callers))
        line.callers[caller] = line.callers.pop(caller)  # now the last
        ticket = next(iter(line.callers[caller]))
        self.remove(ticket)
        return ticket
