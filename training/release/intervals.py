"""How far a measured number may be from what endless rows would give: a bootstrap over rows.

A number is a ratio of sums over rows (right answers over answers, nats over tokens). Rows are drawn again
with replacement, and the ends are the expanded percentiles of Hesterberg (What Teachers Should Know About the
Bootstrap, 2015), which are wider on few rows as Student's t is.

A bootstrap can't draw what no row shows: 20 rows that are all right would be sure of 100 %. So where the
number lies in a known span, the interval also reaches as far as it would if the largest share of requests of
which n rows may show none, ``1 - tail ** (1 / n)``, lay at the span's end. For n right answers of n that is
the exact interval of Clopper and Pearson.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Array = NDArray[np.float64]
Span = tuple[float, float]

CONFIDENCE = 0.95
RESAMPLES = 4_000
LEAST_ROWS = 10  # without a span; fewer say nothing of how wide the tails are
SHARE: Span = (0.0, 1.0)
CHANGE: Span = (-1.0, 1.0)  # of a share
_TAIL = (1 - CONFIDENCE) / 2
_CELLS = 2_000_000  # resamples × rows in memory at once


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the number lies, 19 times of 20."""

    value: float
    low: float
    high: float
    rows: int  # that it was measured on
    drawn: tuple[float, float]  # the bootstrap's own ends
    span: Span | None

    def rows_needed(self, bound: float) -> int | None:
        """About how many rows like these would show on which side of ``bound`` it is; None: no number."""
        margin = abs(self.value - bound)
        if margin < 1e-9:
            return None
        side = 0 if self.value > bound else 1
        needed = self.rows * ((self.value - self.drawn[side]) / margin) ** 2  # falls with the rows' root
        if self.span is not None and (room := abs(self.value - self.span[side])) > margin:
            needed = max(needed, math.log(_TAIL) / math.log1p(-margin / room))
        return max(math.ceil(needed), self.rows + 1)


def of_ratio(rows: Array, span: Span | None = None) -> Interval | None:
    """The interval of ``sum(rows[:, 0]) / sum(rows[:, 1])``, rows (n, 2); None: too few to say anything."""
    return _interval(rows[rows[:, 1] > 0], _ratio, span)


def of_difference(one: Array, other: Array, span: Span | None = None) -> Interval | None:
    """The interval of the ratio of ``one`` less that of ``other``, (n, 2) both, the same rows in both.

    Drawn in pairs, so that a row which is hard for both makes it no wider.
    """
    both = np.hstack([one, other])
    return _interval(both[(one[:, 1] > 0) | (other[:, 1] > 0)], _difference, span)


def _ratio(sums: Array) -> Array:
    return sums[:, 0] / sums[:, 1]


def _difference(sums: Array) -> Array:
    return sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]


def _interval(rows: Array, number: Callable[[Array], Array], span: Span | None) -> Interval | None:
    n = len(rows)
    if n < (1 if span is not None else LEAST_ROWS) or not np.isfinite(rows).all():
        return None
    rows = rows[np.lexsort(rows.T)]  # the same rows in another order give the same interval
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(number(rows.sum(0, keepdims=True))[0])
        draws = np.concatenate([number(sums) for sums in _resampled(rows)])
    draws = draws[np.isfinite(draws)]  # a draw without any row that counts says nothing
    if not math.isfinite(value) or not len(draws):
        return None
    low, high = np.quantile(draws, [_level(n), 1 - _level(n)]) if n > 1 else (value, value)
    drawn = min(float(low), value), max(float(high), value)
    if span is None:
        return Interval(value, *drawn, n, drawn, None)
    unseen = 1 - _TAIL ** (1 / n)
    reach = [value + unseen * (end - value) for end in span]
    return Interval(value, min(drawn[0], reach[0]), max(drawn[1], reach[1]), n, drawn, span)


def _resampled(rows: Array) -> list[Array]:
    """Sums over ``RESAMPLES`` draws of as many rows, in blocks of (draws, columns)."""
    n = len(rows)
    random = np.random.default_rng(n)  # the same rows give the same interval
    block = max(1, _CELLS // n)
    chances = np.full(n, 1 / n)
    return [
        random.multinomial(n, chances, size=min(block, RESAMPLES - start)) @ rows
        for start in range(0, RESAMPLES, block)
    ]


def _level(n: int) -> float:
    """The percentile, as a share, at which the lower end lies."""
    return float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, _TAIL)))
