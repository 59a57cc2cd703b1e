"""Cross-fitted scores → temperature, gate and threshold: what turns scores into probabilities and decisions.

Probabilities are calibrated for requests of which :func:`outside_share` belong to no intent. Examples out of
scope are mostly far from every intent; rows in scope whose intent was held out ("strangers") stand in for
those that are near. Where the share is another in service, confidences are off by up to the difference.

The gate knows when to doubt that a text belongs anywhere, the softmax when two intents are alike. Their
product orders texts best, but counts a doubt that both have twice; so the logit of the product is scaled and
shifted until it means what it says (Platt's scaling), which changes no order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router.examples import OUT_OF_SCOPE
from router.model import layout
from router.model.classifier import (
    Floats,
    Gate,
    Labels,
    chance,
    fit_temperature,
    not_decoy,
    probabilities,
)

Mask = NDArray[np.bool_]

OUTSIDE_SHARE = 0.2  # of the requests in service that belong to no intent, reckoned with at least
MOST_OUTSIDE = 0.5  # of them, however many of the examples are out of scope
STRANGERS = 0.1  # of these, that strangers stand in for; all, where there are fewer examples than
FEWEST_OUTSIDE = 10
_LEAST_CHANCE = 1e-6  # and one less, so that its logit is no more than 14
_LEAST_REST = 1e-12  # of all shares, so that nothing is divided by zero
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
    slope: float  # of the logit of the gate's chance times the softmax,
    offset: float  # and what is added to it
    threshold: float

    def confidences(self, logits: Floats, signals: Floats) -> Floats:
        """``(M, K)``: the probability of each intent; what they leave to 1 is that of none.

        The others have to the likeliest the ratio of the softmax, or less where all would be more than 1.
        """
        shares = probabilities(logits, self.temperature)
        best, rows = logits[:, layout.INTENTS].argmax(axis=1), np.arange(len(logits))
        share = shares[rows, best]
        sure = self.slope * _logit(self.gate.probability(signals) * share) + self.offset
        right = chance(sure) * not_decoy(logits, signals)
        scale = np.minimum(right / share, (1 - right) / np.maximum(1 - share, _LEAST_REST))
        confidences = shares * scale[:, None]
        confidences[rows, best] = right
        return np.asarray(confidences)


def outside_share(outside: int, size: int) -> float:
    """Of the requests in service, how many to reckon out of scope if ``outside`` of ``size`` examples are."""
    return min(MOST_OUTSIDE, max(OUTSIDE_SHARE, outside / size))


def calibrate(scores: Scores, wrong_cost: float, share: float) -> Calibration:
    """All from ``scores``, the threshold last; ``share`` is :func:`outside_share`."""
    weight = _weights(scores, share)
    inside = scores.labels != OUT_OF_SCOPE
    unlearned = inside & (_own(scores) <= layout.NEVER)  # its only example was held out, so it can't be wrong
    right = (scores.logits[:, layout.INTENTS].argmax(axis=1) == scores.labels) | unlearned
    gate = Gate.fit(scores.signals, right, weight)
    temperature = fit_temperature(scores.logits[inside, layout.INTENTS], scores.labels[inside])[0]
    product = gate.probability(scores.signals) * probabilities(scores.logits, temperature).max(axis=1)
    last = Gate.fit(_logit(product[:, None]), right, weight)
    slope = float(last.weights[0] / last.scale[0])
    calibration = Calibration(temperature, gate, slope, last.bias - slope * float(last.mean[0]), 0.0)
    confidences = calibration.confidences(scores.logits, scores.signals)
    threshold = choose_threshold(confidences, scores.labels, weight, wrong_cost)
    return replace(calibration, threshold=threshold)


def cross_calibrate(scores: Scores, wrong_cost: float, share: float) -> tuple[Floats, Mask]:
    """Confidences ``(M, K)``, and which rows ``(M,)`` are routed, each by a calibration without its fold."""
    confidences = np.zeros_like(scores.logits[:, layout.INTENTS])
    routed = np.zeros(len(scores.labels), dtype=np.bool_)
    for fold in np.unique(scores.folds):
        held = scores.folds == fold
        calibration = calibrate(scores.where(~held), wrong_cost, share)
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


def _own(scores: Scores) -> Floats:
    """``(M,)`` logits of each row's own intent; of any, where it has none."""
    return np.asarray(scores.logits[np.arange(len(scores.labels)), np.maximum(scores.labels, 0)])


def _logit(probability: Floats) -> Floats:
    kept = np.clip(probability, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    return np.asarray(np.log(kept / (1 - kept)))


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
