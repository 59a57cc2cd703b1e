"""Examples → a fitted model and a report on it. Everything that is chosen is chosen by cross-fitting.

The examples are cut into folds; each fold is scored by a model that never saw it nor anything nearly equal to
it. On these scores the weight of the n-grams, the penalty, the temperature, the gate and the threshold are
chosen, and the report counts each fold with a gate and a threshold chosen on the other folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from router.calibration import Calibration, Mask, Scores, calibrate, cross_calibrate
from router.classifier import Floats, Labels, Linear, signals
from router.encoder import TextEncoder
from router.examples import OUT_OF_SCOPE, RoutingExamples
from router.features import Dense, Spelling, join
from router.folds import folds_of
from router.report import FitReport, make_report

SHARES = (0.15, 0.3, 0.45, 0.6, 0.75)  # of the n-grams in a similarity; tried in turn
STRENGTHS = (3.0, 10.0, 30.0)  # of the logistic regression; tried in turn
_CHOICE_ROWS = 3_000  # at most, that share and strength are chosen on
_FEWEST_OUTSIDE = 10  # examples out of scope that the gate can be fitted on
_HELD_OUT_GROUPS = 4  # of intents, that stand in for examples out of scope where too few are given


@dataclass(frozen=True)
class FittedModel:
    """All that a decision needs beside the encoder. ``N`` examples, ``K`` intents, ``D`` columns."""

    intents: tuple[str, ...]
    texts: tuple[str, ...]  # (N,)
    labels: Labels  # (N,)
    rows: Dense  # (N, D) of the examples
    spelling: Spelling
    share: float
    linear: Linear
    calibration: Calibration

    def transform(self, texts: list[str], encoder: TextEncoder) -> Dense:
        """``(M, D)`` rows of ``M`` texts."""
        return join(encoder.encode(texts), self.spelling.transform(texts), self.share)

    def confidences(self, rows: Dense) -> tuple[Floats, Dense]:
        """``(M, K)`` calibrated probabilities, and ``(M, N)`` similarities to the examples."""
        similar = rows @ self.rows.T
        logits = self.linear.logits(rows)
        inside = self.labels != OUT_OF_SCOPE
        found = signals(logits, similar[:, inside], similar[:, ~inside])
        return self.calibration.confidences(logits, found), similar


def fit(examples: RoutingExamples, encoder: TextEncoder) -> tuple[FittedModel, FitReport]:
    """Fit everything; seconds for ten intents of seventy examples. The same examples give the same model."""
    texts, given = examples.rows()
    labels = np.asarray(given, dtype=np.int64)
    embeddings = encoder.encode(texts)
    spelling = Spelling.fit(texts)
    spelled = spelling.transform(texts)
    folds = folds_of(join(embeddings, spelled, 0.5), labels)
    share, strength = _choose(embeddings, spelled, labels, folds, len(examples.names))
    problem = _Problem(join(embeddings, spelled, share), labels, folds, len(examples.names), strength)
    scores = problem.cross_fit()
    calibration = calibrate(scores)
    linear = Linear.fit(problem.rows, labels, problem.intents, strength)
    model = FittedModel(examples.names, texts, labels, problem.rows, spelling, share, linear, calibration)
    confidences, routed = cross_calibrate(scores)
    own = slice(0, len(texts))  # without the stand-ins
    report = make_report(
        examples,
        labels,
        confidences[own],
        routed[own],
        share=share,
        strength=strength,
        threshold=calibration.threshold,
    )
    return model, report


@dataclass(frozen=True)
class _Problem:
    """Rows to fit a regression on, leaving some out."""

    rows: Dense  # (N, D)
    labels: Labels  # (N,)
    folds: Labels  # (N,)
    intents: int  # K
    strength: float

    def score(self, held: Mask) -> Scores:
        """The ``held`` ``(N,)`` rows, scored by a model of the others."""
        kept, labels = self.rows[~held], self.labels[~held]
        logits = Linear.fit(kept, labels, self.intents, self.strength).logits(self.rows[held])
        similar = self.rows[held] @ kept.T
        inside = labels != OUT_OF_SCOPE
        found = signals(logits, similar[:, inside], similar[:, ~inside])
        return Scores(logits, found, self.labels[held], self.folds[held])

    def cross_fit(self) -> Scores:
        """Every row, in order, scored by a model without its fold; after them the stand-ins, if any.

        With too few examples out of scope to learn from, whole intents are held out as well: their rows,
        scored by a model that never saw the intent, stand in for texts that belong nowhere.
        """
        held = [self.folds == fold for fold in np.unique(self.folds)]
        order = np.argsort(np.concatenate([np.flatnonzero(mask) for mask in held]))
        scores = _concatenate([self.score(mask) for mask in held]).where(order)
        inside = self.labels != OUT_OF_SCOPE
        if len(self.labels) - inside.sum() >= _FEWEST_OUTSIDE:
            return scores
        groups = min(self.intents, _HELD_OUT_GROUPS)
        strangers = [self.score(inside & (self.labels % groups == group)) for group in range(groups)]
        outside = [replace(each, labels=np.full_like(each.labels, OUT_OF_SCOPE)) for each in strangers]
        return _concatenate([scores, *outside])


def _concatenate(parts: list[Scores]) -> Scores:
    return Scores(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.signals for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.folds for part in parts]),
    )


def _choose(
    embeddings: Dense, spelled: Dense, labels: Labels, folds: Labels, intents: int
) -> tuple[float, float]:
    """Share and strength of the least cross-fitted log-loss, the one after the other."""
    step = -(-len(labels) // _CHOICE_ROWS)
    kept = np.sort(np.argsort(labels, kind="stable")[::step])

    def loss(share: float, strength: float) -> float:
        rows = join(embeddings[kept], spelled[kept], share)
        return _log_loss(_Problem(rows, labels[kept], folds[kept], intents, strength).cross_fit())

    share = min(SHARES, key=lambda each: loss(each, STRENGTHS[1]))
    return share, min(STRENGTHS, key=lambda each: loss(share, each))


def _log_loss(scores: Scores) -> float:
    from scipy.special import log_softmax

    classes = np.where(scores.labels == OUT_OF_SCOPE, scores.logits.shape[1] - 1, scores.labels)
    return -float(log_softmax(scores.logits, axis=1)[np.arange(len(classes)), classes].clip(-10).mean())
