"""One measured number with its standard error, and the difference of two that were measured on the same rows.

Every number here is a ratio of sums over rows, such as nats over tokens or right answers over answers. The
standard error is the delta method's for a ratio of means: with the ratio r, row i moves it by
``(x_i - r n_i) / sum(n)``, its influence (Cochran, Sampling Techniques, 3rd ed., section 2.11).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Measure:
    """A number; ``value`` is None where there was nothing to measure it on."""

    value: float | None
    error: float | None  # its standard error
    count: float  # what it is a mean over: tokens, answers, calls
    influence: NDArray[np.float64] = field(repr=False, compare=False)  # (rows,); empty where it isn't known
    rows: NDArray[np.float64] = field(  # (rows, 2), above and below; empty where it is no ratio of sums
        default_factory=lambda: np.zeros((0, 2)), repr=False, compare=False
    )


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Measure:
    """``sum(numerators) / sum(denominators)``, both (rows,)."""
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    whole = float(below.sum())
    if whole == 0:
        return Measure(None, None, 0.0, np.zeros(0))
    value = float(above.sum()) / whole
    influence = (above - value * below) / whole
    return Measure(value, _error(influence), whole, influence, np.stack([above, below], axis=1))


def exponential(measure: Measure) -> Measure:
    """``exp`` of a measure, for instance the perplexity of a loss."""
    if measure.value is None:
        return measure
    value = math.exp(min(measure.value, 700.0))  # more would be no number any more
    influence = value * measure.influence
    return Measure(value, _error(influence), measure.count, influence)


def difference(one: Measure, other: Measure) -> tuple[float, float | None] | None:
    """``one - other`` and its standard error, which the same rows make smaller than the two errors are."""
    if one.value is None or other.value is None:
        return None
    if len(one.influence) and one.influence.shape == other.influence.shape:
        return one.value - other.value, _error(one.influence - other.influence)
    errors = one.error, other.error
    joint = math.hypot(*(error for error in errors if error is not None)) if None not in errors else None
    return one.value - other.value, joint


def _error(influence: NDArray[np.float64]) -> float | None:
    """Needs two rows; the factor makes it unbiased for a plain mean."""
    rows = len(influence)
    return float(np.sqrt((influence**2).sum() * rows / (rows - 1))) if rows > 1 else None
