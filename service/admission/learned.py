"""How many requests the engine is given at once, learned from its own numbers. Pure: looks in, a target out.

The knee is where more requests at once bring hardly more tokens per second, or where the engine begins to
queue by itself or to fill its cache: from there on waiting in front of it, where the order can still be
chosen, costs nothing. The target climbs by an eighth as long as that pays and steps back where it did not:

1. The engine has requests waiting of its own at ``SETTLE`` looks in a row, which is longer than it takes to
   read the prompts of many that came at once: an eighth less, but no less than ran.
2. Its cache is nearly full: an eighth less.
3. The target is used up: once a level has been looked at ``SETTLE`` times, tokens/s are compared with those
   of the level below. The share by which tokens grew is to be at least ``LEAST_GAIN`` of that by which
   requests did; else one step back, and ``REST`` looks pass before the next try, since the traffic may have
   changed by then.
4. It is not used up: nothing can be learned.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST, LEAST, MOST = 32, 4, 4096
LEAST_GAIN = 0.25  # of the share of requests that were added
SETTLE, REST = 4, 40  # looks
_STEP = 8  # an eighth
_FULL = 0.95  # of the cache


@dataclass(frozen=True, slots=True)
class Look:
    """The engine's numbers at a time; of several servers their sum, and the fullest cache."""

    at: float  # seconds
    running: int
    waiting: int
    cache: float  # 0 to 1
    tokens: float  # generated ever


class Learned:
    """The target, and what was learned on the way to it."""

    def __init__(self, target: int = FIRST) -> None:
        self.target = target
        self._last: Look | None = None
        self._queued: list[int] = []  # what ran at the looks in a row at which the engine had a queue
        self._rates: list[float] = []  # tokens/s at this target
        self._below: tuple[int, float] | None = None  # the level before, and its tokens/s
        self._rest = 0

    def look(self, look: Look) -> int:
        """Take in what the engine says now; the new target."""
        last, self._last = self._last, look
        if last is None or look.at <= last.at or look.tokens < last.tokens:  # it was restarted
            return self.target
        self._rest = max(0, self._rest - 1)
        self._queued = [*self._queued, look.running] if look.waiting else []
        if len(self._queued) >= SETTLE:
            self._back(max(LEAST, self.target - self._step(), min(self.target, max(self._queued))))
        elif look.cache > _FULL:
            self._back(max(LEAST, self.target - self._step()))
        elif look.running + look.waiting < self.target - self._step():
            self._rates.clear()
        else:
            self._rates.append((look.tokens - last.tokens) / (look.at - last.at))
            if len(self._rates) > SETTLE:  # the first look at a level is half of the one before
                self._compare(sum(self._rates[1:]) / (len(self._rates) - 1))
        return self.target

    def _compare(self, rate: float) -> None:
        if self._below is not None:
            level, before = self._below
            gain = (rate / before - 1) / (self.target / level - 1) if before else 1.0
            if gain < LEAST_GAIN:
                self._back(level)
                return
        if self._rest:
            self._rates.clear()
            return
        self._below = (self.target, rate)
        self._set(min(MOST, self.target + self._step()))

    def _step(self) -> int:
        return max(1, self.target // _STEP)

    def _back(self, target: int) -> None:
        self._below, self._queued, self._rest = None, [], REST
        self._set(target)

    def _set(self, target: int) -> None:
        self.target = target
        self._rates.clear()
