"""Examples → a fitted model and a report on it. Everything that is chosen is chosen by cross-fitting.

The examples are cut into folds; each fold is scored by a model that never saw it nor anything nearly equal to
it. On these scores the weight of the n-grams, the temperature, the gate and the threshold are chosen, and the
report counts each fold with a gate and a threshold chosen on the other folds. Where a validation split is
given, its rows are scored in place of all that, by the model that will decide; none is fitted on.

An encoder that was tuned puts the texts it has learned nearer to their intent than any new one, so those are
fitted on, but never scored; so are decoys (:mod:`router.model.decoys`), and the names of intents with few
examples, which are among their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import compress

import numpy as np

from router.encoding.encoder import TextEncoder
from router.examples import DECOY, OUT_OF_SCOPE, RoutingExamples
from router.learning.corpus import Corpus
from router.learning.folds import folds_of
from router.learning.problem import FEW, HELD_OF_MANY, MANY, Problem
from router.learning.report import FitReport, make_report
from router.model.calibration import Mask, Scores, calibrate, cross_calibrate, outside_share
from router.model.classifier import Labels
from router.model.decoys import decoys
from router.model.features import Dense, Shares, Spelling, chinese_parts, fold
from router.model.fitted import FittedModel
from router.model.meaning import Meaning, sentences
from router.text.spelling import Corrector

Tell = Callable[[str], object]  # gets each step as it begins
FIRST_SHARES = Shares(chinese=0.75, other=0.3)  # where the choice of shares begins
SHARES = (0.15, 0.3, 0.5, 0.8)  # tried in turn, for Chinese and for other scripts
LESS_INNER = (1.5, 0.5)  # times the squared lengths of an embedding's own and inner half, in place of 1 and 1
_TOLD_AFTER = 500  # texts
_CHOICE_ROWS = 2_000  # at most, that shares are chosen on
_FEWEST_NEW = 50  # examples that the encoder has not learned, to score those alone


def fit(
    examples: RoutingExamples,
    encoder: TextEncoder,
    tell: Tell,
    validation: RoutingExamples | None = None,
) -> tuple[FittedModel, FitReport]:
    """Fit everything; the same examples give the same model.

    Raises:
        ExamplesError: ``validation`` has an intent that ``examples`` have not.
    """
    import scipy.linalg  # noqa: F401  its BLAS has to be there to be limited below
    from threadpoolctl import threadpool_limits

    taught = examples.with_names()
    originals, given = taught.rows()
    judged, truth = ((), ()) if validation is None else validation.rows_by(examples.names)
    if judged:
        corrector = Corrector(originals, encoder.words)
        judged = tuple(corrector.correct(text)[0] for text in judged)
    made = tuple(decoys(examples.names))
    originals, given = originals + judged + made, given + truth + (DECOY,) * len(made)
    texts = tuple(fold(text) for text in originals)
    embeddings = _encoded(texts, encoder, tell)
    tell("reading how they are spelled")
    apart = np.zeros(len(texts), dtype=np.bool_)
    apart[taught.size : taught.size + len(judged)] = True
    with threadpool_limits(1):  # many small products: more threads only wait for each other
        spelling, spelled = _spelled(texts, apart)
        labels = np.asarray(given, dtype=np.int64)
        new = _new(originals, _no_names(examples, taught), encoder) if validation is None else apart
        inner = encoder.inner if min(examples.size, new.sum()) <= FEW else 0
        weights = _column_weights(embeddings.shape[1], inner)
        meanings = [Meaning.fit(embeddings[~apart], of) for of in weights]
        size, chinese = taught.size + len(judged), chinese_parts(texts)
        own = sentences(embeddings, encoder.inner)
        corpora = [
            Corpus(chinese, size, labels, own, m.transform(embeddings), spelled, new, apart) for m in meanings
        ]
        return _fit(examples, originals, corpora, meanings, spelling, tell=tell)


def _spelled(texts: Sequence[str], apart: Mask) -> tuple[Spelling, Dense]:
    """The spelling of all ``texts`` but those ``apart``, and the rows of all."""
    spelling, rows = Spelling.fit(list(compress(texts, ~apart)))
    spelled = np.zeros((len(texts), rows.shape[1]), dtype=np.float32)
    spelled[~apart] = rows
    if apart.any():
        spelled[apart] = spelling.transform(list(compress(texts, apart)))
    return spelling, spelled


def _encoded(texts: Sequence[str], encoder: TextEncoder, tell: Tell) -> Dense:
    """``(N, H)``, and how far that is: thousands of texts take half a minute."""
    vectors = np.zeros((0, 0), dtype=np.float32)
    for start in range(0, len(texts), _TOLD_AFTER):
        tell(f"encoding the examples, {100 * start // len(texts)} %")
        part = encoder.encode(texts[start : start + _TOLD_AFTER])
        if not start:
            vectors = np.empty((len(texts), part.shape[1]), dtype=np.float32)
        vectors[start : start + len(part)] = part
    return vectors


def _column_weights(columns: int, inner: int) -> list[Dense]:
    """``(H,)`` of an embedding as it is and, if ``inner`` columns are an inner layer's, with less of those.

    Few examples can't tell what of the inner layer's detail matters, so that less of it serves them better.
    """
    found: list[Dense] = [np.ones(columns, dtype=np.float32)]
    if inner:
        own = np.arange(columns) < columns - inner
        found.append(np.where(own, LESS_INNER[0], LESS_INNER[1]).astype(np.float32) ** np.float32(0.5))
    return found


def _no_names(examples: RoutingExamples, taught: RoutingExamples) -> list[bool]:
    """Whether each of the rows that are ``taught`` is one of the ``examples``, and no intent's name."""
    own = [
        n < len(texts)
        for texts, more in zip(examples.intents.values(), taught.intents.values(), strict=True)
        for n in range(len(more))
    ]
    return own + [True] * len(examples.out_of_scope)


def _new(texts: Sequence[str], examples: Sequence[bool], encoder: TextEncoder) -> Mask:
    """``(N,)`` texts that say how well others will do, out of the first ones, where they are ``examples``.

    All of those do, if the encoder has learned none or nearly all of them.
    """
    example = np.zeros(len(texts), dtype=np.bool_)
    example[: len(examples)] = examples
    new = example & ~encoder.learned(texts)
    return new if new.sum() >= _FEWEST_NEW else example


def _fit(
    examples: RoutingExamples,
    texts: tuple[str, ...],
    corpora: Sequence[Corpus],
    meanings: Sequence[Meaning],
    spelling: Spelling,
    *,
    tell: Tell,
) -> tuple[FittedModel, FitReport]:
    """Of several ways to mean, whose rows are in ``corpora``, that of the least loss is taken."""
    intents, labels = len(examples.names), corpora[0].labels
    folds = folds_of(corpora[0].rows(FIRST_SHARES), labels)
    if len(labels) > MANY:  # all that are out of scope are in folds held out: they are few and the gate's
        folds = np.where(labels == OUT_OF_SCOPE, folds % HELD_OF_MANY, folds)
    tell("choosing what counts for how much")
    choices = [_choose(corpus, folds, intents) for corpus in corpora]
    best = min(range(len(choices)), key=lambda place: choices[place][1])
    corpus, meaning, (shares, _) = corpora[best], meanings[best], choices[best]
    problem = Problem(corpus, shares, folds, intents)
    tell("scoring them, each by a model that has not seen it")
    held, empty = problem.cross_fit()
    scores = Scores.concatenate([held, empty, problem.strangers()])
    none = np.zeros(len(labels), dtype=np.bool_)
    outside, told = len(examples.out_of_scope), examples.size
    if corpus.apart.any():
        outside, told = int((labels[corpus.apart] == OUT_OF_SCOPE).sum()), int(corpus.apart.sum())
    share = outside_share(outside, told)
    model = FittedModel(
        intents=examples.names,
        texts=tuple(compress(texts, ~corpus.apart)),
        labels=labels[~corpus.apart],
        neighbours=problem.neighbours(none),
        meaning=meaning,
        spelling=spelling,
        shares=shares,
        linear=problem.linear(none),
        calibration=calibrate(scores, examples.wrong_cost, share),
    )
    confidences, routed = cross_calibrate(scores, examples.wrong_cost, share)
    threshold = model.calibration.threshold
    own = slice(len(held.labels))
    report = make_report(examples, held.labels, confidences[own], routed[own], threshold=threshold)
    return model, report


def _choose(corpus: Corpus, folds: Labels, intents: int) -> tuple[Shares, float]:
    """The shares of the least cross-fitted loss, that of other scripts first, and that loss."""
    corpus, kept = corpus.sample(_CHOICE_ROWS)

    @cache
    def loss(shares: Shares) -> float:
        return Problem(corpus, shares, folds[kept], intents).loss()

    shares = FIRST_SHARES
    if (corpus.chinese < 1).any():
        shares = min((replace(shares, other=s) for s in SHARES), key=loss)
    if (corpus.chinese > 0).any():
        shares = min((replace(shares, chinese=s) for s in SHARES), key=loss)
    return shares, loss(shares)
