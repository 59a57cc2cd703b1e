"""Cross-fitted scores → temperature, gate and threshold: what turns scores into probabilities and decisions.

Probabilities are calibrated for requests of which :func:`outside_share` belong to no intent. Examples out of
scope are mostly far from every intent; rows in scope whose intent was held out ("strangers") stand in for
those that are near. The temperature is that of the least Brier score: by likelihood a few examples with wrong
labels, which every set has, make all of it too unsure (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.classifier import (
    NEVER,
    TEMPERATURE_ROWS,
    Floats,
    Gate,
    Labels,
    by_temperature,
    not_decoy,
    probabilities,
)
from router.examples import OUT_OF_SCOPE

Mask = NDArray[np.bool_]

OUTSIDE_SHARE = 0.2  # of the requests in service that belong to no intent, reckoned with at least
MOST_OUTSIDE = 0.5  # of them, however many of the examples are out of scope
UNTOLD_SHARE = 0.1  # of them, where nobody has given such examples; the threshold is as wary as with some
_FEWEST_TOLD = 5  # examples out of scope, that say that there are such requests
STRANGERS = 0.1  # of these, that strangers stand in for; all, where there are fewer examples than
FEWEST_OUTSIDE = 10
_ALIKE = 1.02  # costs within this factor of the least are no reason to prefer a threshold
THRESHOLDS = np.linspace(0.2, 0.8, 61)  # that are tried


@dataclass(frozen=True)
class Scores:
    """What models say of ``M`` rows that they were not fitted on."""

    logits: Floats  # (M, K + 2)
    signals: Floats  # (M, S)
    labels: Labels  # (M,)
    folds: Labels  # (M,)
    strange: Mask  # (M,) in scope, but called out of it as its intent was held out

    @classmethod
    def concatenate(cls, parts: Sequence[Scores]) -> Scores:
        """The rows of all ``parts``, in order."""
        return cls(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.signals for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.folds for part in parts]),
            np.concatenate([part.strange for part in parts]),
        )

    def where(self, chosen: Mask | Labels | slice) -> Scores:
        """The ``chosen`` rows, by mask, index or slice."""
        return Scores(
            self.logits[chosen],
            self.signals[chosen],
            self.labels[chosen],
            self.folds[chosen],
            self.strange[chosen],
        )


@dataclass(frozen=True)
class Calibration:
    """Scores → probabilities; and the probability under which to abstain."""

    temperature: float
    gate: Gate
    threshold: float

    def confidences(self, logits: Floats, signals: Floats) -> Floats:
        """``(M, K)``: the probability of each intent; what they leave to 1 is that of none."""
        inside = self.gate.probability(signals) * not_decoy(logits, signals)
        return np.asarray(inside[:, None] * probabilities(logits, self.temperature))


def outside_share(outside: int, size: int) -> float:
    """Of the requests in service, how many to reckon out of scope if ``outside`` of ``size`` examples are."""
    if outside < _FEWEST_TOLD:
        return UNTOLD_SHARE
    return min(MOST_OUTSIDE, max(OUTSIDE_SHARE, outside / size))


def calibrate(scores: Scores, wrong_cost: float, share: float) -> Calibration:
    """Gate, temperature and threshold from ``scores``, in that order; ``share`` is :func:`outside_share`."""
    weight = _weights(scores, share)
    inside = scores.labels != OUT_OF_SCOPE
    gate = Gate.fit(scores.signals, inside, weight)
    temperature = _temperature(scores, gate.probability(scores.signals), weight)
    confidences = Calibration(temperature, gate, 0.0).confidences(scores.logits, scores.signals)
    wary = _weights(scores, max(share, OUTSIDE_SHARE))
    return Calibration(temperature, gate, choose_threshold(confidences, scores.labels, wary, wrong_cost))


def cross_calibrate(scores: Scores, wrong_cost: float, share: float) -> tuple[Floats, Mask]:
    """Confidences ``(M, K)``, and which rows ``(M,)`` are routed, each by a calibration without its fold."""
    confidences = np.zeros((len(scores.labels), scores.logits.shape[1] - 2))
    routed = np.zeros(len(scores.labels), dtype=np.bool_)
    for fold in np.unique(scores.folds):
        held = scores.folds == fold
        calibration = calibrate(scores.where(~held), wrong_cost, share)
        confidences[held] = calibration.confidences(scores.logits[held], scores.signals[held])
        routed[held] = confidences[held].max(axis=1) >= calibration.threshold
    return confidences, routed


def _temperature(scores: Scores, inside: Floats, weight: Floats) -> float:
    """That of the least Brier score of the probabilities of intents and none, by ``weight`` ``(M,)``.

    ``inside`` ``(M,)`` is the gate's. Rows whose intent was not there to be learned say nothing.
    """
    own = scores.logits[np.arange(len(scores.labels)), np.maximum(scores.labels, 0)]
    rows = np.flatnonzero((scores.labels == OUT_OF_SCOPE) | (own > NEVER))
    rows = rows[:: -(-len(rows) // TEMPERATURE_ROWS)]
    logits, weight, inside, labels = scores.logits[rows], weight[rows], inside[rows], scores.labels[rows]
    known = np.flatnonzero(labels != OUT_OF_SCOPE)
    own = known, labels[known]
    below = (logits[:, :-2] - logits[:, :-2].max(axis=1, keepdims=True)).astype(np.float32)

    def loss(logarithm: float) -> float:
        powers = np.exp(below * np.float32(np.exp(-logarithm)))
        shares = inside / powers.sum(axis=1)  # times which they are probabilities
        squares = np.einsum("mk,mk->m", powers, powers) * shares**2
        return float(weight @ squares - 2 * weight[known] @ (powers[own] * shares[known]))

    return by_temperature(loss)[0]


def choose_threshold(confidences: Floats, labels: Labels, weight: Floats, wrong_cost: float) -> float:
    """The threshold of least cost; the middle of those that cost about as little, which few rows decide less.

    A wrong route costs ``wrong_cost``, abstaining on a row in scope costs 1, both by ``weight`` ``(M,)``.
    """
    best = confidences.max(axis=1)
    right = confidences.argmax(axis=1) == labels
    routed = best[:, None] >= THRESHOLDS
    missed = ~routed & (labels != OUT_OF_SCOPE)[:, None]
    cost = weight @ ((routed & ~right[:, None]) * wrong_cost + missed)
    least = THRESHOLDS[cost <= cost.min() * _ALIKE + 1e-9]
    return float(least[len(least) // 2])


def _weights(scores: Scores, share: float) -> Floats:
    """``(M,)`` weights, of mean 1, under which ``share`` of the rows are out of scope."""
    inside = scores.labels != OUT_OF_SCOPE
    known = ~inside & ~scores.strange
    counts = [max(1, int(mask.sum())) for mask in (inside, known, scores.strange)]
    strangers = STRANGERS if scores.strange.any() else 0.0
    if counts[1] < FEWEST_OUTSIDE:
        strangers = scores.strange.sum() / (counts[1] + counts[2])
    shares = (1 - share, share * (1 - strangers), share * strangers)
    each = [share / count for share, count in zip(shares, counts, strict=True)]
    weight = np.select([inside, known], each[:2], each[2])
    return np.asarray(weight / weight.mean())
