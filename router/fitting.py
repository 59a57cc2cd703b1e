"""Examples → a fitted model and a report on it. Everything that is chosen is chosen by cross-fitting.

The examples are cut into folds; each fold is scored by a model that never saw it nor anything nearly equal to
it. On these scores the weight of the n-grams, the penalty, the temperature, the gate and the threshold are
chosen, and the report counts each fold with a gate and a threshold chosen on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from router.calibration import Calibration, Mask, Scores, calibrate, cross_calibrate
from router.classifier import Floats, Labels, Linear, fit_temperature, signals
from router.encoder import TextEncoder
from router.examples import OUT_OF_SCOPE, RoutingExamples
from router.features import Dense, Shares, Spelling, fold, join
from router.folds import folds_of
from router.report import FitReport, make_report

FIRST_SHARES = Shares(chinese=0.75, other=0.45)  # where the choice of shares begins
SHARES = (0.15, 0.45, 0.75, 0.9)  # tried in turn, for Chinese and for other scripts
STRENGTHS = (10.0, 30.0, 100.0)  # of the logistic regression; tried in turn
_CHOICE_ROWS = 3_000  # at most, that shares and strength are chosen on
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
    shares: Shares
    linear: Linear
    calibration: Calibration

    def transform(self, texts: Sequence[str], encoder: TextEncoder) -> Dense:
        """``(M, D)`` rows of ``M`` texts."""
        texts = [fold(text) for text in texts]
        return join(encoder.encode(texts), self.spelling.transform(texts), self.shares.of(texts))

    def confidences(self, rows: Dense) -> tuple[Floats, Dense]:
        """``(M, K)`` calibrated probabilities, and ``(M, N)`` similarities to the examples."""
        similar = rows @ self.rows.T
        logits = self.linear.logits(rows)
        inside = self.labels != OUT_OF_SCOPE
        found = signals(logits, similar[:, inside], similar[:, ~inside])
        return self.calibration.confidences(logits, found), similar


def fit(examples: RoutingExamples, encoder: TextEncoder) -> tuple[FittedModel, FitReport]:
    """Fit everything; seconds for ten intents of seventy examples. The same examples give the same model."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with sklearn

    originals, given = examples.rows()
    texts = tuple(fold(text) for text in originals)
    embeddings = encoder.encode(texts)
    with threadpool_limits(1):  # many small products: more threads only wait for each other
        spelling = Spelling.fit(texts)
        corpus = _Corpus(texts, np.asarray(given, dtype=np.int64), embeddings, spelling.transform(texts))
        return _fit(examples, corpus, spelling)


@dataclass(frozen=True)
class _Corpus:
    """The examples and both halves of their rows."""

    texts: tuple[str, ...]  # (N,)
    labels: Labels  # (N,)
    embeddings: Dense  # (N, H)
    spelled: Dense  # (N, R)

    def rows(self, shares: Shares) -> Dense:
        return join(self.embeddings, self.spelled, shares.of(self.texts))

    def sample(self, most: int) -> tuple[_Corpus, Labels]:
        """At most ``most`` examples, of every label its part, and their places."""
        step = -(-len(self.texts) // most)
        kept = np.sort(np.argsort(self.labels, kind="stable")[::step])
        texts = tuple(self.texts[place] for place in kept)
        return _Corpus(texts, self.labels[kept], self.embeddings[kept], self.spelled[kept]), kept


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
        """Every row, in order, scored by a model without its fold."""
        held = [self.folds == fold for fold in np.unique(self.folds)]
        order = np.argsort(np.concatenate([np.flatnonzero(mask) for mask in held]))
        return Scores.concatenate([self.score(mask) for mask in held]).where(order)

    def strangers(self) -> Scores:
        """Rows in scope, scored by a model that never saw their intent: stand-ins for texts out of scope."""
        inside = self.labels != OUT_OF_SCOPE
        groups = min(self.intents, _HELD_OUT_GROUPS)
        scores = [self.score(inside & (self.labels % groups == group)) for group in range(groups)]
        return Scores.concatenate([replace(s, labels=np.full_like(s.labels, OUT_OF_SCOPE)) for s in scores])


def _fit(examples: RoutingExamples, corpus: _Corpus, spelling: Spelling) -> tuple[FittedModel, FitReport]:
    intents, labels = len(examples.names), corpus.labels
    folds = folds_of(corpus.rows(FIRST_SHARES), labels)
    shares, strength = _choose(corpus, folds, intents)
    problem = _Problem(corpus.rows(shares), labels, folds, intents, strength)
    scores = problem.cross_fit()
    if np.count_nonzero(labels == OUT_OF_SCOPE) < _FEWEST_OUTSIDE:
        scores = Scores.concatenate([scores, problem.strangers()])
    model = FittedModel(
        intents=examples.names,
        texts=examples.rows()[0],
        labels=labels,
        rows=problem.rows,
        spelling=spelling,
        shares=shares,
        linear=Linear.fit(problem.rows, labels, intents, strength),
        calibration=calibrate(scores),
    )
    confidences, routed = cross_calibrate(scores)
    own = slice(0, len(labels))  # without the strangers
    threshold = model.calibration.threshold
    report = make_report(examples, labels, confidences[own], routed[own], threshold=threshold)
    return model, report


def _choose(corpus: _Corpus, folds: Labels, intents: int) -> tuple[Shares, float]:
    """Shares and strength of the least cross-fitted loss, one after the other."""
    corpus, kept = corpus.sample(_CHOICE_ROWS)
    classes = np.where(corpus.labels == OUT_OF_SCOPE, intents, corpus.labels)

    @cache
    def loss(shares: Shares, strength: float) -> float:
        problem = _Problem(corpus.rows(shares), corpus.labels, folds[kept], intents, strength)
        return fit_temperature(problem.cross_fit().logits, classes)[1]

    shares, strength = FIRST_SHARES, STRENGTHS[1]
    chinese = Shares(chinese=1, other=0).of(corpus.texts)
    if (chinese < 1).any():
        shares = min((replace(shares, other=s) for s in SHARES), key=lambda each: loss(each, strength))
    if (chinese > 0).any():
        shares = min((replace(shares, chinese=s) for s in SHARES), key=lambda each: loss(each, strength))
    return shares, min(STRENGTHS, key=lambda each: loss(shares, each))
