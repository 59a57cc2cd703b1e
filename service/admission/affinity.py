"""Who goes next, and who may enter: the rules of ``docs/scheduling.md``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, takewhile

from service.admission.places import Places
from service.admission.ticket import Priority, State, Ticket
from service.admission.turns import Turns


class Affinity:
    """Runs of one adapter, in which nobody goes in much later than his turn.

    Between two calls there are as many turns left as requests wait: with each that is taken, whoever it is,
    one turn goes by. A turn that is left by a request that was taken before it stands for one that is due.
    """

    def __init__(self, extra_wait: float) -> None:
        self.extra_wait = extra_wait  # seconds
        self.turns = Turns()
        self._due: dict[Ticket, None] = {}  # whose turn has gone by, the longest first
        self._others: dict[tuple[str | None, Priority], dict[Ticket, None]] = {}  # who came first is first

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out who goes next; None if nobody may enter."""
        late = takewhile(lambda ticket: now - ticket.due >= self.extra_wait, self._due)
        draining = places.draining({ticket.adapter for ticket in late}, now - self.extra_wait / 2)

        def may_enter(ticket: Ticket) -> bool:
            return places.fits(ticket.adapter) and ticket.adapter not in draining

        def preference(ticket: Ticket) -> tuple[float, ...]:
            """Who has the least goes first; of two tuples the first difference decides."""
            if now - ticket.due >= self.extra_wait / 2:
                return 0, ticket.due
            other_run, outside = ticket.adapter != places.run, not places.has(ticket.adapter)
            return 1, ticket.priority == "batch", other_run, outside, ticket.due, ticket.arrived

        if not any(map(may_enter, self._candidates())):
            return None
        self._pass_turn(now)
        ticket = min(filter(may_enter, self._candidates()), key=preference)
        self._forget(ticket)
        return ticket

    def _candidates(self) -> Iterator[Ticket]:
        """All who are due, and of each adapter and priority who came first of the others."""
        return chain(self._due, (next(iter(group)) for group in self._others.values()))

    def add(self, ticket: Ticket) -> None:
        self.turns.add(ticket)
        self._others.setdefault((ticket.adapter, ticket.priority), {})[ticket] = None

    def remove(self, ticket: Ticket, now: float) -> None:
        """Forget who gives up or is refused, and a turn."""
        if ticket in self._due:
            self._pass_turn(now)  # its own has gone by
        else:
            self.turns.remove(ticket)
        self._forget(ticket)

    def late(self, ticket: Ticket, now: float) -> float:
        """Seconds by which the latest is late: of all, or of the base's if ``ticket`` is of the base too."""
        due = (one.due for one in self._due if ticket.adapter is not None or one.adapter is None)
        return now - next(due, now)

    def allowance(self, ticket: Ticket, now: float) -> float:
        """Seconds after its turn in which one that has just come should go in: the extra wait.

        Or as much as the latest is late, if it is the first to wait for its adapter.
        """
        late = self.late(ticket, now)
        if late <= self.extra_wait:
            return self.extra_wait
        others = (one for one in chain(self._due, *self._others.values()) if one is not ticket)
        return self.extra_wait if any(one.adapter == ticket.adapter for one in others) else late

    def _pass_turn(self, now: float) -> None:
        """The next turn goes by; if its owner still waits, it is due."""
        ticket = self.turns.next()
        if ticket.state is State.WAITING:
            self._forget(ticket)
            ticket.due = now
            self._due[ticket] = None

    def _forget(self, ticket: Ticket) -> None:
        if ticket in self._due:
            del self._due[ticket]
            return
        kind = (ticket.adapter, ticket.priority)
        del self._others[kind][ticket]
        if not self._others[kind]:
            del self._others[kind]
