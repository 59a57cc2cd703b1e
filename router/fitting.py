"""Examples → a fitted model and a report on it. Everything that is chosen is chosen by cross-fitting.

The examples are cut into folds; each fold is scored by a model that never saw it nor anything nearly equal to
it. On these scores the weight of the n-grams, the temperature, the gate and the threshold are chosen, and the
report counts each fold with a gate and a threshold chosen on the other folds. An encoder that was tuned puts
the texts it has learned nearer to their intent than any new one, so those are fitted on, but never scored; so
are decoys (:mod:`router.decoys`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from router.calibration import Mask, Scores, calibrate, cross_calibrate
from router.classifier import Labels, Linear, fit_temperature, signals
from router.decoys import decoys
from router.encoder import TextEncoder
from router.examples import DECOY, OUT_OF_SCOPE, RoutingExamples
from router.features import Dense, Shares, Spelling, fold, join
from router.folds import folds_of
from router.meaning import Meaning
from router.model import FittedModel
from router.nearest import Neighbours
from router.regression import Metric
from router.report import FitReport, make_report

Tell = Callable[[str], object]  # gets each step as it begins
FIRST_SHARES = Shares(chinese=0.75, other=0.3)  # where the choice of shares begins
SHARES = (0.15, 0.3, 0.5, 0.8)  # tried in turn, for Chinese and for other scripts
LESS_INNER = (1.5, 0.5)  # times the squared lengths of an embedding's own and inner half, in place of 1 and 1
_TOLD_AFTER = 500  # texts
_CHOICE_ROWS = 2_000  # at most, that shares are chosen on
_CHOICE_FOLDS = 1  # that are held out in turn for that choice,
_FEW = 1_000  # unless there are fewer examples than this: then all of them
_MANY = 5_000  # examples, from which calibration holds out
_HELD_OF_MANY = 3  # folds in turn, and not all
_FEWEST_NEW = 50  # examples that the encoder has not learned, to score those alone
_HELD_OUT_GROUPS = 4  # of intents, each held out in turn to make strangers; of many examples only the first


def fit(examples: RoutingExamples, encoder: TextEncoder, tell: Tell) -> tuple[FittedModel, FitReport]:
    """Fit everything; the same examples give the same model."""
    from threadpoolctl import threadpool_limits

    originals, given = examples.rows()
    made = tuple(decoys(examples.names))
    originals, given = originals + made, given + (DECOY,) * len(made)
    texts = tuple(fold(text) for text in originals)
    embeddings = _encoded(texts, encoder, tell)
    with threadpool_limits(1):  # many small products: more threads only wait for each other
        spelling, spelled = Spelling.fit(texts)
        labels = np.asarray(given, dtype=np.int64)
        new = _new(originals, examples.size, encoder)
        inner = encoder.inner if new.sum() <= _FEW else 0
        meanings = [Meaning.fit(embeddings, of) for of in _column_weights(embeddings.shape[1], inner)]
        corpora = [
            _Corpus(texts, examples.size, labels, m.transform(embeddings), spelled, new) for m in meanings
        ]
        return _fit(examples, originals, corpora, meanings, spelling, tell=tell)


def _encoded(texts: Sequence[str], encoder: TextEncoder, tell: Tell) -> Dense:
    """``(N, H)``, and how far that is: thousands of texts take half a minute."""
    parts = []
    for start in range(0, len(texts), _TOLD_AFTER):
        tell(f"encoding the examples, {100 * start // len(texts)} %")
        parts.append(encoder.encode(texts[start : start + _TOLD_AFTER]))
    return np.concatenate(parts)


def _column_weights(columns: int, inner: int) -> list[Dense]:
    """``(H,)`` of an embedding as it is and, if ``inner`` columns are an inner layer's, with less of those.

    Few examples can't tell what of the inner layer's detail matters, so that less of it serves them better.
    """
    found: list[Dense] = [np.ones(columns, dtype=np.float32)]
    if inner:
        own = np.arange(columns) < columns - inner
        found.append(np.where(own, LESS_INNER[0], LESS_INNER[1]).astype(np.float32) ** np.float32(0.5))
    return found


def _new(texts: Sequence[str], examples: int, encoder: TextEncoder) -> Mask:
    """``(N,)`` texts that say how well others will do, out of the first ``examples``.

    All of those do, if the encoder has learned none or nearly all of them.
    """
    example = np.arange(len(texts)) < examples
    new = example & ~encoder.learned(texts)
    return new if new.sum() >= _FEWEST_NEW else example


@dataclass(frozen=True)
class _Corpus:
    """The examples, decoys behind them, and both halves of their rows."""

    texts: tuple[str, ...]  # (N,)
    examples: int  # how many are
    labels: Labels  # (N,)
    meant: Dense  # (N, R)
    spelled: Dense  # (N, R)
    new: Mask  # (N,) may be scored

    def rows(self, shares: Shares) -> Dense:
        return join(self.meant, self.spelled, shares.of(self.texts))

    def sample(self, most: int) -> tuple[_Corpus, Labels]:
        """At most ``most`` examples, of every label its part and of new ones half, and their places."""
        learned = ~self.new & (np.arange(len(self.texts)) < self.examples)
        parts = [np.flatnonzero(mask) for mask in (self.new, learned) if mask.any()]
        fewer = min(most // 2, *map(len, parts)) if len(parts) > 1 else 0
        ordered = [part[np.argsort(self.labels[part], kind="stable")] for part in parts]
        kept = np.sort(np.concatenate([part[:: -(-len(part) // (most - fewer))] for part in ordered]))
        texts = tuple(self.texts[place] for place in kept)
        sample = _Corpus(
            texts, len(kept), self.labels[kept], self.meant[kept], self.spelled[kept], self.new[kept]
        )
        return sample, kept


class _Problem:
    """Rows to fit a regression on, leaving some out."""

    def __init__(self, rows: Dense, labels: Labels, folds: Labels, new: Mask, intents: int) -> None:
        self.rows = rows  # (N, D)
        self.new = new  # (N,) may be scored
        self.labels = labels  # (N,)
        self.folds = folds  # (N,)
        self.intents = intents  # K
        self.metric = Metric.of(rows)  # knows no labels, so one does for all folds

    def linear(self, kept: Mask) -> Linear:
        """The regression on the ``kept`` ``(N,)`` rows."""
        return Linear.fit(self.rows[kept], self.labels[kept], self.intents, self.metric)

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
        logits = self.linear(~held).logits(rows)
        neighbours = Neighbours.of(self.rows[~held], self.labels[~held], self.intents)
        near = neighbours.near(rows, logits[:, :-2])
        logits = near.weigh(logits)
        known = np.zeros(len(labels), dtype=np.bool_)
        return Scores(logits, signals(logits, near), labels, folds, known)

    def loss(self) -> float:
        """Mean negative log-likelihood of rows held out, at the best temperature."""
        classes = np.where(self.labels == OUT_OF_SCOPE, self.intents, self.labels)
        folds = np.unique(self.folds)
        few = self.new.sum() <= _FEW
        tried = [self.folds == fold for fold in folds[: None if few else _CHOICE_FOLDS]]
        logits = [self.linear(~held).logits(self.rows[held & self.new]) for held in tried]
        known = np.concatenate([classes[held & self.new] for held in tried])
        return fit_temperature(np.concatenate(logits), known)[1]

    def cross_fit(self) -> tuple[Scores, Scores]:
        """Rows, each scored by a model without its fold, and the empty rows beside them.

        All new rows in order; of many rows those of some folds.
        """
        many = len(self.labels) > _MANY
        held = [self.folds == fold for fold in np.unique(self.folds)[: _HELD_OF_MANY if many else None]]
        scores = [self.score(mask) for mask in held]
        order = np.argsort(np.concatenate([np.flatnonzero(mask & self.new) for mask in held]))
        own = Scores.concatenate([each.where(slice(-1)) for each in scores]).where(order)
        return own, Scores.concatenate([each.where(slice(-1, None)) for each in scores])

    def strangers(self) -> Scores:
        """Rows in scope, scored by a model that never saw their intent: stand-ins for texts out of scope."""
        inside = self.labels >= 0
        groups = min(self.intents, _HELD_OUT_GROUPS)
        tried = range(1 if len(self.labels) > _MANY else groups)
        scores = [self.score(inside & (self.labels % groups == group)).where(slice(-1)) for group in tried]
        return Scores.concatenate(
            [
                replace(s, labels=np.full_like(s.labels, OUT_OF_SCOPE), strange=np.ones_like(s.strange))
                for s in scores
            ]
        )


def _fit(
    examples: RoutingExamples,
    texts: tuple[str, ...],
    corpora: Sequence[_Corpus],
    meanings: Sequence[Meaning],
    spelling: Spelling,
    *,
    tell: Tell,
) -> tuple[FittedModel, FitReport]:
    """Of several ways to mean, whose rows are in ``corpora``, that of the least loss is taken."""
    intents, labels = len(examples.names), corpora[0].labels
    folds = folds_of(corpora[0].rows(FIRST_SHARES), labels)
    if len(labels) > _MANY:  # all that are out of scope are in folds held out: they are few and the gate's
        folds = np.where(labels == OUT_OF_SCOPE, folds % _HELD_OF_MANY, folds)
    tell("choosing what counts for how much")
    choices = [_choose(corpus, folds, intents) for corpus in corpora]
    best = min(range(len(choices)), key=lambda place: choices[place][1])
    corpus, meaning, (shares, _) = corpora[best], meanings[best], choices[best]
    problem = _Problem(corpus.rows(shares), labels, folds, corpus.new, intents)
    tell("scoring them, each by a model that has not seen it")
    held, empty = problem.cross_fit()
    scores = Scores.concatenate([held, empty, problem.strangers()])
    model = FittedModel(
        intents=examples.names,
        texts=texts,
        labels=labels,
        neighbours=Neighbours.of(problem.rows, labels, intents),
        meaning=meaning,
        spelling=spelling,
        shares=shares,
        linear=problem.linear(np.ones(len(labels), dtype=np.bool_)),
        calibration=calibrate(scores, examples.wrong_cost),
    )
    confidences, routed = cross_calibrate(scores, examples.wrong_cost)
    threshold = model.calibration.threshold
    own = slice(len(held.labels))
    report = make_report(examples, held.labels, confidences[own], routed[own], threshold=threshold)
    return model, report


def _choose(corpus: _Corpus, folds: Labels, intents: int) -> tuple[Shares, float]:
    """The shares of the least cross-fitted loss, that of other scripts first, and that loss."""
    corpus, kept = corpus.sample(_CHOICE_ROWS)

    @cache
    def loss(shares: Shares) -> float:
        return _Problem(corpus.rows(shares), corpus.labels, folds[kept], corpus.new, intents).loss()

    shares = FIRST_SHARES
    chinese = Shares(chinese=1, other=0).of(corpus.texts)
    if (chinese < 1).any():
        shares = min((replace(shares, other=s) for s in SHARES), key=loss)
    if (chinese > 0).any():
        shares = min((replace(shares, chinese=s) for s in SHARES), key=loss)
    return shares, loss(shares)
