"""The queue: who waits, who is refused, and the estimate of a wait that decides on it.

The n-th request of a caller waits for n rounds of its line, each of which takes as long as rounds lately
took. That counts what comes later and goes in earlier.
"""

from __future__ import annotations

import math
from collections import Counter

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.places import Places
from service.admission.ticket import Ticket
from service.admission.turns import SHARE, Line

Policy = Affinity | FirstCome  # who goes next

_SURE = 0.9  # of the longest wait: estimates err
_MEMORY = 3  # longest waits, after which half of what was seen of rounds is forgotten
_ENOUGH = 20  # turns to be seen before rounds are gone by
_ANSWERS = 100  # over which their seconds are averaged


class Queue:
    """Who waits, in the order of a policy. Times are in seconds."""

    def __init__(self, policy: Policy, slots: int, max_queue: int, max_wait: float) -> None:
        self._policy, self._turns = policy, policy.turns
        self._slots, self._max_queue = slots, max_queue
        self._latest, self._memory = _SURE * max_wait, _MEMORY * max_wait
        lines = self._turns.lines.values()
        self._waiting: dict[Line, dict[Ticket, str]] = {line: {} for line in lines}  # with their callers
        # since when rounds are counted; rounds and turns that had gone by then. A new dict at each change
        self._since = dict.fromkeys(lines, (0.0, 0.0, 0))
        self._answers, self._answer = 0, 0.0  # answers, and seconds that one takes on average

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, ticket: Ticket) -> None:
        """A request begins to wait."""
        line, caller = self._turns.line_and_caller(ticket)
        self._waiting[line][ticket] = caller
        self._policy.add(ticket)

    def take(self, now: float, places: Places) -> Ticket | None:
        """Take out who goes in next; None if nobody may."""
        if ticket := self._policy.take(now, places):
            self._forget(ticket)
        return ticket

    def remove(self, ticket: Ticket, now: float) -> None:
        """A request gives up, or is refused. It is to come again when one that comes now would go in.

        That is as late as the latest of those that are held up alike, and needs a turn more if its own has
        gone by.
        """
        line, caller = self._turns.line_and_caller(ticket)
        turns = len(line.callers.get(caller, ())) + (ticket.due < math.inf)
        again = turns * self._round(line, now) + self._policy.late(ticket, now)
        ticket.retry_after = float(min(max(math.ceil(again), 1), 60))
        self._policy.remove(ticket, now)
        self._forget(ticket)

    def refused(self, ticket: Ticket, now: float) -> Ticket | None:
        """Who has to go as ``ticket`` has come to wait: itself, or the last of a full queue."""
        line, _ = self._turns.line_and_caller(ticket)
        if len(self._waiting[line]) == 1 == sum(map(len, line.callers.values())):  # nobody waited before
            self._count_anew(line, now)
        if self._wait(ticket, now) + self._policy.allowance(ticket, now) > self._latest:
            return ticket
        return self._last() if len(self) > self._max_queue else None

    def would_refuse(self, ticket: Ticket, now: float) -> bool:
        """Whether a request would be refused that came now. As if it came and went, without a trace."""
        since = self._since
        self.add(ticket)
        refused = self.refused(ticket, now) is ticket
        self.remove(ticket, now)
        self._since = since
        return refused

    def answered(self, seconds: float) -> None:
        """A request was answered after so long in its slot."""
        self._answers += 1
        self._answer += (seconds - self._answer) / min(self._answers, _ANSWERS)

    def resized(self, slots: int, now: float) -> None:
        """There are so many slots from now on."""
        if slots != self._slots:
            self._slots = slots
            for line in self._waiting:
                self._count_anew(line, now)

    def _last(self) -> Ticket:
        """The last of the caller who has most waiting, in the line that has more than its share there."""
        interactive, batch = self._waiting.values()
        waiting = batch if SHARE * len(batch) >= len(interactive) else interactive
        counts = Counter(waiting.values())
        most = max(counts.values())
        return next(ticket for ticket, caller in reversed(waiting.items()) if counts[caller] == most)

    def _wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until the last turn of the caller of ``ticket``: a round for each that he has."""
        line, caller = self._turns.line_and_caller(ticket)
        return len(line.callers.get(caller, ())) * self._round(line, now)

    def _round(self, line: Line, now: float) -> float:
        """Seconds that a round takes: as seen lately, or by what answers take until enough is seen."""
        began, rounds, turns = self._since[line]
        seconds, gone = now - began, line.rounds - rounds
        if seconds > self._memory:
            self._since = {**self._since, line: (began + seconds / 2, rounds + gone / 2, turns)}
        if gone and self._turns.passed - turns >= _ENOUGH:
            return seconds / gone
        return len(line.callers) * self._answer / self._slots

    def _count_anew(self, line: Line, now: float) -> None:
        self._since = {**self._since, line: (now, line.rounds, self._turns.passed)}

    def _forget(self, ticket: Ticket) -> None:
        line, _ = self._turns.line_and_caller(ticket)
        del self._waiting[line][ticket]
