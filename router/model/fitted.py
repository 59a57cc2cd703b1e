"""What a fit leaves and a decision needs: from texts to the confidence in each intent, in five steps.

``fold`` → encoder → :class:`Meaning` beside :class:`Spelling` → :class:`Linear`, raised by the nearest
examples → :class:`Calibration`.

Another classifier takes the place of :class:`Linear`: fitted in :mod:`router.learning.problem`, held here,
its arrays written and read in :mod:`router.learning.storage`. What it has to give is ``logits``
``(N, K + 2)`` as :mod:`router.model.layout` has them, ``NEVER`` for a class that it saw no rows of. Nearest
examples, signals and calibration read no more of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np

from router.encoding.encoder import TextEncoder
from router.model.calibration import Calibration
from router.model.classifier import Floats, Labels, Linear, judged
from router.model.decoys import decoys
from router.model.features import Dense, Shares, Spelling, chinese_parts, fold, join
from router.model.meaning import Meaning, sentences
from router.model.nearest import Near, Neighbours
from router.text.conversation import words_in
from router.text.orders import kinds

USUAL = 0.95  # of the examples: what is as long as they are is read as a whole, as they were
READ = 2  # sentences of a long text that are classified beside the whole
COMPARED = 2_000  # examples at most that its sentences are compared with, to find those


def among(confidences: Floats, sentences: int) -> Floats:
    """``(K,)`` of one of so many ``sentences``: a request may be any of them, so its odds are shared by all.

    Else, of a long text out of scope, the sentence that is least unlike a request would count as a request.
    """
    best = confidences.max()
    return np.asarray(confidences / (best + (1 - best) * sentences))


@dataclass(frozen=True)
class FittedModel:
    """All that a decision needs beside the encoder. ``N`` examples, ``K`` intents, ``D`` columns."""

    intents: tuple[str, ...]
    texts: tuple[str, ...]  # (N,) the last ones decoys
    labels: Labels  # (N,)
    neighbours: Neighbours  # the examples
    meaning: Meaning
    spelling: Spelling
    shares: Shares
    linear: Linear
    calibration: Calibration

    @cached_property
    def decoys(self) -> tuple[str, ...]:
        """What the last of the ``texts`` are, see :mod:`router.model.decoys`."""
        return tuple(decoys(self.intents).values())

    @cached_property
    def own_orders(self) -> frozenset[int]:
        """Kinds of orders to a router that examples of its intents use, so that here they are none."""
        return kinds(compress(self.texts, self.labels >= 0))

    def transform(self, texts: Sequence[str], encoder: TextEncoder) -> tuple[Dense, Dense]:
        """``(M, D)`` rows of ``M`` texts, and their ``(M, H)`` sentence vectors."""
        texts = [fold(text) for text in texts]
        embeddings = encoder.encode(texts)
        shares = self.shares.of(chinese_parts(texts))
        rows = join(self.meaning.transform(embeddings), self.spelling.transform(texts), shares)
        return rows, sentences(embeddings, encoder.inner)

    def likeliest(self, text: str, sentences: Sequence[str]) -> tuple[str, ...]:
        """Of ``sentences`` of a ``text`` that is longer than examples are, those that are classified as well.

        At most ``READ``, spelled most like an example: encoding all would take too long.
        """
        if not sentences or words_in(text) <= self._usual:
            return ()
        if len(sentences) <= READ:
            return tuple(sentences)
        rows = self.spelling.transform([fold(sentence) for sentence in sentences])
        likeness = (rows @ self._spelled.T).max(axis=1)
        return tuple(sentences[place] for place in np.sort(np.argsort(-likeness, kind="stable")[:READ]))

    @cached_property
    def _usual(self) -> float:
        """Words that nearly all examples in scope have at most."""
        return float(np.quantile([words_in(text) for text in compress(self.texts, self.labels >= 0)], USUAL))

    @cached_property
    def _spelled(self) -> Dense:
        """``(E, R)`` the n-grams' columns of examples in scope, of very many every second, third, ..."""
        inside = np.flatnonzero(self.labels >= 0)
        kept = inside[:: -(-len(inside) // COMPARED)]
        return np.ascontiguousarray(self.neighbours.rows[kept, self.meaning.directions.shape[1] :])

    def confidences(self, rows: Dense, sentences: Dense) -> tuple[Floats, Near]:
        """``(M, K)`` calibrated probabilities, and the nearest examples."""
        logits, signals, near = judged(self.linear, self.neighbours, rows, sentences)
        return self.calibration.confidences(logits, signals), near

    def resembles(self, nearest: Sequence[tuple[int, float]]) -> str | None:
        """What most of the ``nearest`` examples are, if they are decoys."""
        first = len(self.texts) - len(self.decoys)
        found = [self.decoys[example - first] for example, _ in nearest if example >= first]
        return found[0] if 2 * len(found) > len(nearest) else None
