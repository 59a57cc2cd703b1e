"""Hybrid rows → calibrated probabilities over ``K`` intents and "none of them".

Three parts, each fitted (by :mod:`router.fitting`) on what the one before says of rows it was not fitted on:

1. a multinomial logistic regression over the intents, and "outside" as one more class where examples of it
   are given;
2. a temperature that makes its softmax over the intents mean what it says;
3. a gate: the probability that a text belongs to any intent at all, from the energy of the regression (low
   for near misses) and the similarity to the nearest examples (low for far ones).

``p(intent) = gate · softmax(logits / temperature)``. Knows nothing of texts, encoders or thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.examples import OUT_OF_SCOPE
from router.features import Dense

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]  # (N,) index of the intent, or OUT_OF_SCOPE

NEAREST = 3  # examples whose mean similarity says how near a text is
NEVER = -30.0  # logit of a class that has no rows
_FEWEST_OUTSIDE = 5  # examples out of scope that make a class of their own


@dataclass(frozen=True)
class Linear:
    """A fitted logistic regression over ``K`` intents and, last, "outside"."""

    weights: Dense  # (D, K + 1)
    bias: Floats  # (K + 1,)

    @classmethod
    def fit(cls, rows: Dense, labels: Labels, intents: int, strength: float) -> Linear:
        """``strength`` is the inverse of the L2 penalty (sklearn's ``C``).

        A class without rows (a fold may miss one) gets a logit that never wins.
        """
        from sklearn.linear_model import LogisticRegression

        classes = np.where(labels == OUT_OF_SCOPE, intents, labels)
        outside = labels == OUT_OF_SCOPE
        kept = np.flatnonzero(~outside | (outside.sum() >= _FEWEST_OUTSIDE))
        weights = np.zeros((rows.shape[1], intents + 1), dtype=np.float32)
        bias = np.full(intents + 1, NEVER)
        present = np.unique(classes[kept])
        if len(present) == 1:
            bias[present] = 0.0
            return cls(weights, bias)
        model = LogisticRegression(C=strength, max_iter=500, tol=1e-4).fit(rows[kept], classes[kept])
        coefficients, intercept = model.coef_.T, model.intercept_
        if coefficients.shape[1] == 1:  # sklearn keeps one column for two classes
            coefficients = np.hstack([-coefficients, coefficients]) / 2
            intercept = np.concatenate([-intercept, intercept]) / 2
        weights[:, model.classes_], bias[model.classes_] = coefficients, intercept
        return cls(weights, bias)

    def logits(self, rows: Dense) -> Floats:
        """``(N, K + 1)``."""
        return np.asarray(rows @ self.weights, dtype=np.float64) + self.bias


@dataclass(frozen=True)
class Gate:
    """Signals → probability that a text is in scope: a logistic regression over standardised signals."""

    mean: Floats  # (S,)
    scale: Floats  # (S,)
    weights: Floats  # (S,)
    bias: float

    @classmethod
    def fit(cls, signals: Floats, inside: NDArray[np.bool_], weight: Floats) -> Gate:
        """``signals`` ``(N, S)``; ``weight`` ``(N,)`` makes the rows look like the requests of service."""
        from sklearn.linear_model import LogisticRegression

        mean, scale = signals.mean(axis=0), signals.std(axis=0) + 1e-9
        model = LogisticRegression(C=1.0).fit((signals - mean) / scale, inside, weight)
        return cls(mean, scale, model.coef_[0], float(model.intercept_[0]))

    def probability(self, signals: Floats) -> Floats:
        """``(N,)``."""
        from scipy.special import expit

        return np.asarray(expit((signals - self.mean) / self.scale @ self.weights + self.bias))


def signals(logits: Floats, inside: Dense, outside: Dense) -> Floats:
    """``(N, 4)``: what tells texts in scope from others.

    ``inside`` ``(N, I)`` and ``outside`` ``(N, O)`` are similarities to the examples in and out of scope.
    """
    from scipy.special import logsumexp

    energy = logsumexp(logits[:, :-1], axis=1)
    margin = np.minimum(energy - logits[:, -1], -NEVER / 2)
    return np.column_stack([energy, margin, _nearest(inside), _nearest(outside)])


def probabilities(logits: Floats, temperature: float) -> Floats:
    """``(N, K)`` over the intents alone."""
    from scipy.special import softmax

    return np.asarray(softmax(logits[:, :-1] / temperature, axis=1))


def fit_temperature(logits: Floats, classes: Labels) -> tuple[float, float]:
    """The temperature of the least mean negative log-likelihood, and that loss.

    ``logits`` ``(N, C)`` are of rows that were not fitted on. Rows whose class was not there to be learned
    say nothing of the temperature and are left out.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows = np.flatnonzero(logits[np.arange(len(classes)), classes] > NEVER)
    if len(rows) == 0:
        return 1.0, float(np.log(logits.shape[1]))

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits[rows] / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(rows)), classes[rows]].mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _nearest(similarities: Dense) -> Floats:
    """Mean of the ``NEAREST`` largest in each row; 0 where there are none."""
    if similarities.shape[1] == 0:
        return np.zeros(len(similarities))
    count = min(NEAREST, similarities.shape[1])
    top = np.partition(similarities, -count, axis=1)[:, -count:]
    return np.asarray(top.mean(axis=1), dtype=np.float64)
