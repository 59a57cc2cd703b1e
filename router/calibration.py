"""Cross-fitted scores → temperature, gate and threshold: what turns scores into probabilities and decisions.

Probabilities are calibrated for requests of which ``OUTSIDE_SHARE`` belong to no intent, whatever the
share of such examples is. Examples out of scope are mostly far from every intent; rows in scope whose intent
was held out ("strangers") stand in for those that are near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.classifier import Floats, Gate, Labels, fit_temperature, not_decoy, probabilities
from router.examples import OUT_OF_SCOPE

Mask = NDArray[np.bool_]

OUTSIDE_SHARE = 0.2  # of the requests in service that belong to no intent, reckoned with
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
        inside = self.gate.probability(signals) * not_decoy(logits)
        return np.asarray(inside[:, None] * probabilities(logits, self.temperature))


def calibrate(scores: Scores, wrong_cost: float) -> Calibration:
    """Temperature, gate and threshold from ``scores``, in that order."""
    weight = _weights(scores)
    inside = scores.labels != OUT_OF_SCOPE
    temperature, _ = fit_temperature(scores.logits[inside, :-2], scores.labels[inside])
    gate = Gate.fit(scores.signals, inside, weight)
    confidences = Calibration(temperature, gate, 0.0).confidences(scores.logits, scores.signals)
    return Calibration(temperature, gate, choose_threshold(confidences, scores.labels, weight, wrong_cost))


def cross_calibrate(scores: Scores, wrong_cost: float) -> tuple[Floats, Mask]:
    """Confidences ``(M, K)``, and which rows ``(M,)`` are routed, each by a calibration without its fold."""
    confidences = np.zeros((len(scores.labels), scores.logits.shape[1] - 2))
    routed = np.zeros(len(scores.labels), dtype=np.bool_)
    for fold in np.unique(scores.folds):
        held = scores.folds == fold
        calibration = calibrate(scores.where(~held), wrong_cost)
        confidences[held] = calibration.confidences(scores.logits[held], scores.signals[held])
        routed[held] = confidences[held].max(axis=1) >= calibration.threshold
    return confidences, routed


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


def _weights(scores: Scores) -> Floats:
    """``(M,)`` weights, of mean 1, under which ``OUTSIDE_SHARE`` of the rows are out of scope."""
    inside = scores.labels != OUT_OF_SCOPE
    known = ~inside & ~scores.strange
    counts = [max(1, int(mask.sum())) for mask in (inside, known, scores.strange)]
    strangers = STRANGERS if scores.strange.any() else 0.0
    if counts[1] < FEWEST_OUTSIDE:
        strangers = scores.strange.sum() / (counts[1] + counts[2])
    shares = (1 - OUTSIDE_SHARE, OUTSIDE_SHARE * (1 - strangers), OUTSIDE_SHARE * strangers)
    each = [share / count for share, count in zip(shares, counts, strict=True)]
    weight = np.select([inside, known], each[:2], each[2])
    return np.asarray(weight / weight.mean())
