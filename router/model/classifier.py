"""Hybrid rows → calibrated probabilities over ``K`` intents and "none of them".

Three parts, each fitted (by :mod:`router.learning.fitting`) on what the one before says of rows it was not
fitted on:

1. a multinomial logistic regression over the intents, and "outside" as one more class where examples of it
   are given;
2. a temperature that makes its softmax over the intents mean what it says;
3. a gate: the chance that the likeliest intent is right, which it can only be of a text in scope, from the
   energy of the regression (low for near misses) and the similarity to the nearest examples (low for far
   ones), as rows and as plain sentences.

How they become one probability stands in :mod:`router.model.calibration`. Knows nothing of texts, encoders or
thresholds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.examples import DECOY, OUT_OF_SCOPE
from router.model import layout
from router.model.features import Dense
from router.model.nearest import Near, Neighbours
from router.model.regression import Metric, fit_against, fit_logistic

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]  # (N,) index of the intent, or OUT_OF_SCOPE

PENALTY = 1 / 30  # of half the squared weights of the regression, where every row's loss counts 1
_NEWTON_STEPS = 25
_LONGEST_STEP = 2.0  # of any weight of the gate at a time, so that Newton's method does not overshoot
_SHORTEST_STEP = 1e-9  # after which the next would change nothing that is seen
_LEAST_SPREAD = 1e-6  # of a row's label, so that the gate's curvature never vanishes
_FREE = 1e-9  # penalty of the gate's bias
TEMPERATURE_ROWS = 3_000  # at most, that a temperature is fitted on
_HOTTEST = 3.0  # logarithm of a temperature, at most, and of its inverse
_GOLDEN = (5**0.5 - 1) / 2
_PRECISE = 1e-3  # logarithm of a temperature
_BESIDE_DECOYS = 4_000  # other rows, about and at most twice as many, that decoys are told from
_FEWEST_OUTSIDE = 5  # examples out of scope that make a class of their own


@dataclass(frozen=True)
class Linear:
    """A fitted logistic regression over ``K`` intents, "outside" and, last, "decoy"."""

    weights: Dense  # (D, K + 2)
    bias: Dense  # (K + 2,)

    @classmethod
    def fit(cls, columns: Dense, labels: Labels, intents: int, metric: Metric) -> Linear:
        """On the metric's ``columns``. A class without rows (a fold may miss one) never wins."""
        outside, decoy = labels == OUT_OF_SCOPE, labels == DECOY
        kept = np.flatnonzero(~decoy & (~outside | (outside.sum() >= _FEWEST_OUTSIDE)))
        present, classes = np.unique(layout.classes_of(labels, intents)[kept], return_inverse=True)
        found = np.zeros((columns.shape[1], intents + layout.MORE), dtype=np.float32)
        found[-1] = layout.NEVER
        first = columns[: len(kept)] if kept[-1] < len(kept) else columns[kept]  # decoys last: no copy
        found[:, present] = fit_logistic(first, classes.astype(np.int64), len(present), PENALTY, metric)
        if decoy.any():
            every = max(1, len(decoy) // _BESIDE_DECOYS)
            some = columns[beside := np.flatnonzero(decoy | (np.arange(len(decoy)) % every == 0))]
            others = _energy(some @ found[:, layout.OF_USERS])
            found[:, layout.DECOY] = fit_against(some, decoy[beside], others, PENALTY / every, metric)
        return cls(found[:-1], found[-1] - metric.mean @ found[:-1])

    def logits(self, rows: Dense) -> Floats:
        """``(N, K + 2)``."""
        return np.asarray(rows @ self.weights + self.bias, dtype=np.float64)


@dataclass(frozen=True)
class Gate:
    """Signals → chance that the likeliest intent is right: a logistic regression, signals standardised."""

    mean: Floats  # (S,)
    scale: Floats  # (S,)
    weights: Floats  # (S,)
    bias: float

    @classmethod
    def fit(cls, signals: Floats, right: NDArray[np.bool_], weight: Floats) -> Gate:
        """``signals`` ``(N, S)``; ``weight`` ``(N,)`` makes the rows look like the requests of service.

        Newton's method on the weighted log-loss plus half the squared weights, the bias left free.
        """
        mean, scale = signals.mean(axis=0), signals.std(axis=0) + 1e-9
        columns = np.column_stack([(signals - mean) / scale, np.ones(len(signals))])
        penalty = np.diag([1.0] * signals.shape[1] + [_FREE])
        found = np.zeros(columns.shape[1])
        for _ in range(_NEWTON_STEPS):
            probability = chance(columns @ found)
            slope = columns.T @ (weight * (probability - right)) + penalty @ found
            spread = weight * np.maximum(probability * (1 - probability), _LEAST_SPREAD)
            step = np.linalg.solve((columns.T * spread) @ columns + penalty, slope)
            longest = float(np.abs(step).max())
            found -= step * min(1.0, _LONGEST_STEP / (longest + 1e-12))
            if longest < _SHORTEST_STEP:
                break
        return cls(mean, scale, found[:-1], float(found[-1]))

    def probability(self, signals: Floats) -> Floats:
        """``(N,)``."""
        return np.asarray(chance((signals - self.mean) / self.scale @ self.weights + self.bias))


def judged(
    linear: Linear, neighbours: Neighbours, rows: Dense, sentences: Dense
) -> tuple[Floats, Floats, Near]:
    """Logits ``(M, K + 2)``, raised by the nearest examples, signals ``(M, 5)`` for the gate, and those
    examples, of texts with ``rows`` ``(M, D)`` and ``sentences`` ``(M, H)``.
    """
    logits = linear.logits(rows)
    near = neighbours.near(rows, logits[:, layout.INTENTS])
    logits = near.weigh(logits)
    energy = _energy(logits[:, layout.INTENTS])
    signals = (
        energy,
        np.minimum(energy - logits[:, layout.OUTSIDE], -layout.NEVER / 2),
        near.inside(),
        near.outside(),
        neighbours.means_alike(sentences, logits[:, layout.INTENTS].argmax(axis=1)),
    )
    return logits, np.array(signals, dtype=np.float64).T, near


def probabilities(logits: Floats, temperature: float) -> Floats:
    """``(N, K)`` over the intents alone."""
    inside = logits[:, layout.INTENTS]
    chances = np.empty(inside.shape, dtype=np.float32)  # a fifth of the time of 64 bits
    np.subtract(inside, inside.max(axis=1, keepdims=True), out=chances, casting="same_kind")
    chances /= np.float32(temperature)
    np.exp(chances, out=chances)
    chances /= chances.sum(axis=1, keepdims=True)
    return chances.astype(np.float64)


def not_decoy(logits: Floats, signals: Floats) -> Floats:
    """``(N,)`` probability that a text is none that no user would write."""
    return chance(np.logaddexp(signals[:, 0], logits[:, layout.OUTSIDE]) - logits[:, layout.DECOY])


def chance(logit: Floats) -> Floats:
    """The logistic function; scipy's costs a decision's process 20 MB."""
    return np.asarray(0.5 + 0.5 * np.tanh(logit / 2))


def _energy(logits: Floats | Dense) -> Floats:
    """``(N,)`` logarithm of the summed exponentials of each row."""
    highest = logits.max(axis=1)
    return np.asarray(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)))


def fit_temperature(logits: Floats, classes: Labels) -> tuple[float, float]:
    """The temperature of the least mean negative log-likelihood, and that loss.

    ``logits`` ``(N, C)`` are of rows that were not fitted on. Rows whose class was not there to be learned
    say nothing of the temperature and are left out.
    """
    rows = np.flatnonzero(logits[np.arange(len(classes)), classes] > layout.NEVER)
    if len(rows) == 0:
        return 1.0, float(np.log(logits.shape[1]))
    rows = rows[:: -(-len(rows) // TEMPERATURE_ROWS)]
    logits, own = logits[rows], (np.arange(len(rows)), classes[rows])
    below = (logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    owns = float(below[own].mean(dtype=np.float64))
    scaled = np.empty_like(below)

    def loss(log_temperature: float) -> float:
        warmth = float(np.exp(-log_temperature))
        np.multiply(below, np.float32(warmth), out=scaled)
        sums = np.exp(scaled, out=scaled).sum(axis=1)
        return float(np.log(sums).mean(dtype=np.float64)) - warmth * owns

    return by_temperature(loss)


def by_temperature(loss: Callable[[float], float]) -> tuple[float, float]:
    """The temperature of the least ``loss``, which is of a temperature's logarithm, and that loss."""
    best, least = _least(loss, -_HOTTEST, _HOTTEST)
    return float(np.exp(best)), least


def _least(loss: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Where between the bounds ``loss``, which falls and then rises, is least, and how much that is.

    Golden-section search; scipy's takes half a second to import.
    """
    points = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [loss(point) for point in points]
    while high - low > _PRECISE:
        if values[0] < values[1]:
            high, points[1], values[1] = points[1], points[0], values[0]
            points[0] = high - _GOLDEN * (high - low)
            values[0] = loss(points[0])
        else:
            low, points[0], values[0] = points[0], points[1], values[1]
            points[1] = low + _GOLDEN * (high - low)
            values[1] = loss(points[1])
    return points[int(values[1] < values[0])], min(values)
