"""How many requests the engine is given at once, learned from its own numbers. Pure: looks in, a target out.

The knee is where more requests at once bring hardly more tokens per second, or where the engine begins to
queue by itself: from there on waiting in front of it, where the order can still be chosen, costs nothing.
The target climbs as long as that pays, by a half first, else it steps back:

1. The engine has requests waiting of its own at ``SETTLE`` looks in a row, which is longer than it takes to
   read the prompts of many that came at once: an eighth less, but no less than ran.
2. Somebody waits for a slot: once a level has been looked at ``SETTLE`` times, tokens/s are compared with
   those of the level below. The share by which tokens grew is to be at least ``LEAST_GAIN`` of that by which
   requests did. If it is, the next step is twice as wide, a half at most. Else the target steps back, the
   next step is half as wide, an eighth at least, and ``REST`` looks pass before it, since the traffic may
   have changed by then. A step half as wide is looked at twice as often, or noise would be taken for a gain.
   No step is wider than its cache has room for.
3. Nobody waits: nothing can be learned.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST, LEAST, MOST = 32, 4, 4096
LEAST_GAIN = 0.25  # of the share of requests that were added
SETTLE, REST = 4, 40  # looks
WIDEST, NARROWEST = 0.5, 0.125  # of the target: a step
_FULL = 0.95  # of the cache


@dataclass(frozen=True, slots=True)
class Look:
    """The engine's numbers at a time; of several servers their sum, and the fullest cache."""

    at: float  # seconds
    running: int
    waiting: int
    cache: float  # 0 to 1
    tokens: float  # generated ever
    queued: int  # who wait for a slot, in front of the engine


class Learned:
    """The target, and what was learned on the way to it."""

    def __init__(self, target: int = FIRST) -> None:
        self.target = target
        self._last: Look | None = None
        self._queued: list[int] = []  # what ran at the looks in a row at which the engine had a queue
        self._rates: list[float] = []  # tokens/s at this target
        self._below: tuple[int, float] | None = None  # the level before, and its tokens/s
        self._rest = 0
        self._width = WIDEST

    def look(self, look: Look) -> int:
        """Take in what the engine says now; the new target."""
        last, self._last = self._last, look
        if last is None or look.at <= last.at or look.tokens < last.tokens:  # it was restarted
            return self.target
        self._rest = max(0, self._rest - 1)
        self._queued = [*self._queued, look.running] if look.waiting else []
        if len(self._queued) >= SETTLE:
            self._back(max(LEAST, self.target - self._less(), min(self.target, max(self._queued))))
        elif look.queued:
            self._rates.append((look.tokens - last.tokens) / (look.at - last.at))
            if len(self._rates) > SETTLE * WIDEST / self._width:  # the first look is half of the level before
                self._compare(sum(self._rates[1:]) / (len(self._rates) - 1), look.cache)
        return self.target

    def _compare(self, rate: float, cache: float) -> None:
        if self._below is not None:
            level, before = self._below
            gain = (rate / before - 1) / (self.target / level - 1) if before else 1.0
            if gain < LEAST_GAIN:
                self._back(level)
                return
            self._width = min(WIDEST, 2 * self._width)
        room = int(self.target * _FULL / cache) if cache else MOST  # what would fill the cache
        higher = min(MOST, room, self.target + max(1, int(self.target * self._width)))
        if self._rest or higher <= self.target:
            self._rates.clear()
            return
        self._below = (self.target, rate)
        self._set(higher)

    def _less(self) -> int:
        return max(1, int(self.target * NARROWEST))

    def _back(self, target: int) -> None:
        self._below, self._queued, self._rest = None, [], REST
        self._width = max(NARROWEST, self._width / 2)
        self._set(target)

    def _set(self, target: int) -> None:
        self.target = target
        self._rates.clear()
