"""Who is refused at once: for whom the queue is full, or whose turn would come too late.

When a turn comes is estimated by how fast the order went by lately, while somebody waited: it is slower the
more come later and go earlier, where places are waited for, and where the engine got slower. Until that is
known it is by those ahead and how long answers take.
"""

from __future__ import annotations

import math

from service.admission.policy import Policy
from service.admission.ticket import Priority, Ticket

_LEAST = 20  # requests let in before the order's pace counts as known
_REMEMBERED = 100  # requests over which it and answers are averaged
_LONGEST_RETRY = 60.0  # seconds


class Shedding:
    """The bounds of the queue, and what is known of how long one waits in it."""

    def __init__(self, policy: Policy, max_queue: int, max_wait: float) -> None:
        """``max_wait`` in seconds, over which the pace is averaged too; longer where fewer are let in."""
        self._turns, self._slack = policy.turns, policy.slack
        self._max_queue, self._max_wait = max_queue, max_wait
        self._answers = 0
        self._held = 0.0  # seconds that an answer holds its slot, on average
        self.stop()

    def stop(self) -> None:
        """Nobody waits: what comes next may be something else."""
        self._at: float | None = None
        self._seen = 0.0
        self._let_in = 0
        self._passed, self._seconds = 0.0, 0.0

    def look(self, now: float, let_in: int) -> None:
        """Somebody waits, and ``let_in`` more were let in since the last look."""
        passed = self._turns.passed
        if self._at is not None:
            gone = now - self._at
            kept = math.exp(-min(gone / self._max_wait, let_in / _REMEMBERED))
            self._let_in += let_in
            self._seconds = self._seconds * kept + gone
            self._passed = self._passed * kept + passed - self._seen
        self._at, self._seen = now, passed

    def answered(self, held: float) -> None:
        """A request was answered after ``held`` seconds in its slot."""
        self._answers += 1
        self._held += (held - self._held) / min(self._answers, _REMEMBERED)

    def pushed_out(self, caller: str, priority: Priority) -> Ticket | None:
        """Who has to make room for a request that comes now into a full queue."""
        return self._turns.later_than(caller, priority) if self._full else None

    def too_late(self, caller: str, priority: Priority, slots: int) -> float | None:
        """Seconds to retry after, if a request that comes now is to be refused; else None."""
        full = self._full and self._turns.later_than(caller, priority) is None
        too_long = self._wait(caller, priority, slots) + self._slack > self._max_wait
        return self.retry_after(caller, priority, slots) if full or too_long else None

    def retry_after(self, caller: str, priority: Priority, slots: int) -> float:
        """Seconds, whole, after which all that goes before such a request is in the engine. From 1 to 60."""
        wait = self._wait(caller, priority, slots)
        return float(min(max(math.ceil(wait), 1), _LONGEST_RETRY))

    def _wait(self, caller: str, priority: Priority, slots: int) -> float:
        """Seconds until a request that came now would have its turn; 0 if nothing is known."""
        if self._let_in >= _LEAST and self._passed > 0:
            return self._turns.distance(caller, priority) * (self._seconds / self._passed)
        return self._turns.ahead(caller, priority) * self._held / slots

    @property
    def _full(self) -> bool:
        return len(self._turns) >= self._max_queue
