"""How fast the order of those who wait goes by, as it was seen lately.

What stands before a request is told in the policy's own measure, and so is what went by: of the fair order
the tags, which go by slower the more others there are who come later and go earlier (``turns``). So the two
together say how long a request waits, whoever comes after it and whatever holds the engine up.
"""

from __future__ import annotations

import math

LEAST = 20  # requests let in before anything is said
_REMEMBERED = 100  # requests, at least, over which the pace is averaged


class Pace:
    """Seconds that one unit of the order takes, while somebody waits."""

    def __init__(self, memory: float) -> None:
        """``memory``: seconds over which it is averaged; longer where fewer are let in."""
        self._memory = memory
        self.stop()

    def stop(self) -> None:
        """Nobody waits: what comes next may be something else."""
        self._at: float | None = None
        self._seen = 0.0
        self._let_in = 0
        self._passed, self._seconds = 0.0, 0.0

    def look(self, now: float, passed: float, let_in: int) -> None:
        """Somebody waits: ``passed`` of the order has gone by ever, ``let_in`` more were let in since."""
        if self._at is not None:
            gone = now - self._at
            kept = math.exp(-min(gone / self._memory, let_in / _REMEMBERED))
            self._let_in += let_in
            self._seconds = self._seconds * kept + gone
            self._passed = self._passed * kept + passed - self._seen
        self._at, self._seen = now, passed

    @property
    def seconds(self) -> float | None:
        """By unit of the order; None: too little was seen."""
        known = self._let_in >= LEAST and self._passed > 0
        return self._seconds / self._passed if known else None
