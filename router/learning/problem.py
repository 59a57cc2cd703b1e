"""A regression on rows of which some are left out, and what it says of those.

Left out in turn are folds of the examples; or, once, the validation split, where there is one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from router.examples import OUT_OF_SCOPE
from router.learning.corpus import Corpus
from router.model import layout
from router.model.calibration import Mask, Scores
from router.model.classifier import Labels, Linear, fit_temperature, judged
from router.model.features import Shares
from router.model.nearest import Neighbours
from router.model.regression import Metric

_CHOICE_FOLDS = 1  # that are held out in turn for that choice,
FEW = 1_000  # unless there are fewer examples than this: then all of them
MANY = 5_000  # examples, from which calibration holds out
HELD_OF_MANY = 3  # folds in turn, and not all
_HELD_OUT_GROUPS = 4  # of intents, each held out in turn to make strangers; of many examples only the first


class Problem:
    """Rows to fit a regression on, leaving some out."""

    def __init__(self, corpus: Corpus, shares: Shares, folds: Labels, intents: int) -> None:
        self.rows = corpus.rows(shares)  # (N, D)
        self.sentences = corpus.sentences  # (N, H)
        self.new = corpus.new  # (N,) may be scored
        self.apart = corpus.apart  # (N,) of the validation split
        self.labels = corpus.labels  # (N,)
        self.folds = folds  # (N,)
        self.intents = intents  # K
        self.metric = Metric.of(self.rows[~self.apart])  # knows no labels, so one does for all folds
        self.columns = self.metric.columns(self.rows)  # (N, D + 1)

    def linear(self, held: Mask) -> Linear:
        """The regression on all examples but the ``held`` ``(N,)`` ones."""
        kept = ~held & ~self.apart
        return Linear.fit(self.columns[kept], self.labels[kept], self.intents, self.metric)

    def neighbours(self, held: Mask) -> Neighbours:
        """All examples but the ``held`` ``(N,)`` ones."""
        kept = ~held & ~self.apart
        return Neighbours.of(self.rows[kept], self.sentences[kept], self.labels[kept], self.intents)

    def score(self, held: Mask) -> Scores:
        """Of the ``held`` ``(N,)`` rows the new ones, scored by a model of all others; last an empty row.

        The empty row is out of scope: it stands for texts that are like no example, as examples rarely are.
        """
        scored = held & self.new
        rows = np.vstack([self.rows[scored], np.zeros_like(self.rows[:1])])
        labels, folds = (
            np.append(self.labels[scored], OUT_OF_SCOPE),
            np.append(self.folds[scored], self.folds[held][:1]),
        )
        sentences = np.vstack([self.sentences[scored], np.zeros_like(self.sentences[:1])])
        logits, found, _ = judged(self.linear(held), self.neighbours(held), rows, sentences)
        known = np.zeros(len(labels), dtype=np.bool_)
        return Scores(logits, found, labels, folds, known)

    def loss(self) -> float:
        """Mean negative log-likelihood of rows held out, at the best temperature."""
        classes = layout.classes_of(self.labels, self.intents)
        tried = self._held(None if self.new.sum() <= FEW else _CHOICE_FOLDS)
        logits = [self.linear(held).logits(self.rows[held & self.new]) for held in tried]
        known = np.concatenate([classes[held & self.new] for held in tried])
        return fit_temperature(np.concatenate(logits), known)[1]

    def cross_fit(self) -> tuple[Scores, Scores]:
        """Rows, each scored by a model without its fold, and the empty rows beside them.

        All new rows in order; of many rows those of some folds.
        """
        held = self._held(HELD_OF_MANY if len(self.labels) > MANY else None)
        scores = [self.score(mask) for mask in held]
        order = np.argsort(np.concatenate([np.flatnonzero(mask & self.new) for mask in held]))
        own = Scores.concatenate([each.where(slice(-1)) for each in scores]).where(order)
        return own, Scores.concatenate([each.where(slice(-1, None)) for each in scores])

    def _held(self, folds: int | None) -> list[Mask]:
        """What is left out in turn: the first ``folds`` of the examples, None for all; or what is apart."""
        if self.apart.any():
            return [self.apart]
        return [self.folds == fold for fold in np.unique(self.folds)[:folds]]

    def strangers(self) -> Scores:
        """Rows in scope, scored by a model that never saw their intent: stand-ins for texts out of scope."""
        inside = self.labels >= 0
        groups = min(self.intents, _HELD_OUT_GROUPS)
        tried = range(1 if len(self.labels) > MANY else groups)
        scores = [self.score(inside & (self.labels % groups == group)).where(slice(-1)) for group in tried]
        return Scores.concatenate(
            [
                replace(s, labels=np.full_like(s.labels, OUT_OF_SCOPE), strange=np.ones_like(s.strange))
                for s in scores
            ]
        )
