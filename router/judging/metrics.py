"""The rates that a router is judged by, from its confidences on ``M`` rows.

``confidence`` ``(M,)`` is that of the likeliest intent, ``right`` ``(M,)`` whether that intent is the true
one, ``inside`` ``(M,)`` whether the row is in scope. Knows nothing of routers, so that any of them can be
measured with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

POINTS = 100  # at most, of the curve
BINS = 15  # of the calibration error


def macro_f1(truth: Sequence[str | None], decided: Sequence[str | None]) -> float:
    """Mean F1 over the intents that ``truth`` names; None: out of scope, or abstained."""
    scores = []
    for name in sorted({intent for intent in truth if intent is not None}):
        hits = sum(t == d == name for t, d in zip(truth, decided, strict=True))
        scores.append(2 * hits / (sum(t == name for t in truth) + sum(d == name for d in decided)))
    return float(np.mean(scores))


def auroc(confidence: Floats, inside: Mask) -> float | None:
    """Chance that a row in scope has a higher confidence than one out of it; ties count half."""
    from scipy.stats import rankdata

    within, without = int(inside.sum()), int((~inside).sum())
    if without == 0:
        return None
    ranks = rankdata(confidence)[inside].sum()
    return float((ranks - within * (within + 1) / 2) / (within * without))


def auprc(confidence: Floats, inside: Mask) -> float | None:
    """Average precision with rows out of scope as what is looked for; rows that tie count together."""
    if inside.all():
        return None
    values, place = np.unique(confidence, return_inverse=True)
    found = np.cumsum(np.bincount(place, ~inside, minlength=len(values)))
    taken = np.cumsum(np.bincount(place, minlength=len(values)))
    return float((np.diff(found, prepend=0) / found[-1] * found / taken).sum())


def fpr95(confidence: Floats, inside: Mask) -> float | None:
    """Share of rows in scope that are taken for out of scope where 95 % of those out of it are found."""
    if inside.all():
        return None
    highest = np.sort(confidence[~inside])[int(np.ceil(0.95 * (~inside).sum())) - 1]
    return float((confidence[inside] <= highest).mean())


def curve(confidence: Floats, right: Mask) -> tuple[tuple[float, float], ...]:
    """Coverage and accuracy of what is covered at ``POINTS`` thresholds at most, the highest first."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    size = len(ordered)
    counts = np.unique(np.linspace(1, size, min(size, POINTS)).round().astype(int))
    accuracy = np.cumsum(ordered)[counts - 1] / counts
    return tuple((float(count / size), float(rate)) for count, rate in zip(counts, accuracy, strict=True))


def calibration_error(confidence: Floats, right: Mask) -> float:
    """Expected calibration error over ``BINS`` bins of equal width; a row out of scope is never right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence - right)[bins == each].sum()) for each in range(BINS)]
    return float(sum(gaps) / len(confidence))
