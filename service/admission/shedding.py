"""Who is refused: whose turn would come too late, and whose comes last where the queue is full.

A caller's last turn comes after as many rounds of his line as he has turns (``turns``). A round takes as long
as lately, which counts who comes later and goes earlier; until that is known, what answers take. Lately is
since somebody waits and slots are as many, of the last three longest waits. How much later than his turn
somebody goes is the policy's to say.
"""

from __future__ import annotations

import math

from service.admission.policy import Policy
from service.admission.ticket import Ticket
from service.admission.turns import Line

_KNOWN = 20  # turns, from which on what a round takes counts as known
_ANSWERS = 100  # over which is averaged
_MEMORY = 3  # longest waits over which rounds are averaged
_SURE = 0.9  # of the longest wait: estimates err


class Shedding:
    """The bounds of the queue, and what is known of how long one waits in it."""

    def __init__(self, policy: Policy, slots: int, max_queue: int, max_wait: float) -> None:
        """``max_wait`` in seconds."""
        self._policy = policy
        self._turns = policy.turns
        self._slots = slots
        self._max_queue = max_queue
        self._latest = _SURE * max_wait
        self._memory = _MEMORY * max_wait
        # time, rounds and all turns since which rounds are seen; a new dict at each change
        self.since = dict.fromkeys(self._turns.lines.values(), (0.0, 0.0, 0))
        self._answers = 0
        self._held = 0.0  # seconds that an answer takes, on average

    def answered(self, held: float) -> None:
        """A request was answered after ``held`` seconds in its slot."""
        self._answers += 1
        self._held += (held - self._held) / min(self._answers, _ANSWERS)

    def resized(self, slots: int, now: float) -> None:
        """So many slots from now on. If they are others, what rounds take has to be seen anew."""
        if slots != self._slots:
            self._slots = slots
            for line in self.since:
                self._begin(line, now)

    def refused(self, ticket: Ticket, now: float) -> Ticket | None:
        """Who has to go as ``ticket`` has come to wait: itself, or the last of a full queue."""
        line, _ = self._turns.of(ticket)
        if line.turns == line.waiting.total() == 1:  # nobody waited; what comes now may be something else
            self._begin(line, now)
        if self._wait(ticket, now) + self._policy.allowance(ticket, now) > self._latest:
            return ticket
        return self._turns.last() if len(self._turns) > self._max_queue else None

    def retry_after(self, ticket: Ticket, now: float) -> float:
        """Seconds, whole, after which all that goes before such a request is in the engine. From 1 to 60."""
        return float(min(max(math.ceil(self._wait(ticket, now)), 1), 60))

    def _begin(self, line: Line, now: float) -> None:
        self.since = {**self.since, line: (now, line.rounds, self._turns.passed)}

    def _wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until the last of the caller of ``ticket`` has his turn; 0 if nothing is known."""
        line, caller = self._turns.of(ticket)
        at, rounds, passed = self.since[line]
        seconds, gone = now - at, line.rounds - rounds
        if seconds > self._memory:  # half of it is forgotten
            self.since = {**self.since, line: (at + seconds / 2, rounds + gone / 2, passed)}
        known = gone and self._turns.passed - passed >= _KNOWN
        a_round = seconds / gone if known else len(line.callers) * self._held / self._slots
        return len(line.callers.get(caller, ())) * a_round
