"""The examples nearest to a row: among those of its likeliest intents, those out of scope, and decoys.

How near they are is added to the logits: a linear classifier knows the middle of an intent well, and its
nearest examples its edges. Looking only at the likeliest intents keeps a decision's time the same for any
number of intents.

Whether a text belongs to its likeliest intent at all is told by its plain sentence vector as well: n-grams
make texts that share words similar, whatever they mean (docs/log.md).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from router.model import layout
from router.model.features import Dense, Floats, Indices

NEAREST = 3  # examples, of each intent looked at and out of scope
CANDIDATES = 3  # likeliest intents that are looked at
NEARNESS = 10.0  # added to the logit of an intent whose nearest examples equal the row
_NONE = np.float32(-2)  # in place of a similarity, which is -1 or more


@dataclass(frozen=True)
class Near:
    """For ``M`` rows, the nearest of each candidate ``(M, C + 2, NEAREST)``, last out of scope and decoys.

    Where a candidate has fewer examples, ``examples`` is -1 and ``similarities`` less than any.
    """

    similarities: Dense
    examples: Indices
    intents: Indices  # (M, C + 2), last K for out of scope and K + 1 for decoys

    @cached_property
    def means(self) -> Dense:
        """``(M, C + 2)`` mean similarity to each candidate's nearest."""
        return _mean(self.similarities)

    def weigh(self, logits: Floats) -> Floats:
        """``logits`` ``(M, K + 2)``, the candidates' raised by ``NEARNESS`` times their similarity."""
        weighed = logits.copy()
        weighed[np.arange(len(logits))[:, None], self.intents] += NEARNESS * self.means
        return weighed

    def inside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` of all candidates."""
        inside = self.similarities[:, layout.INTENTS].reshape(len(self.similarities), -1)
        return _mean(np.partition(inside, -NEAREST, axis=1)[:, -NEAREST:])

    def outside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` out of scope; 0 where there are none."""
        outside: Dense = self.means[:, layout.OUTSIDE]
        return outside

    def best(self, row: int) -> list[tuple[int, float]]:
        """Example and similarity of the ``NEAREST`` to one row, nearest first."""
        similarities, examples = self.similarities[row].ravel().tolist(), self.examples[row].ravel().tolist()
        found = [(n, similar) for n, similar in zip(examples, similarities, strict=True) if n >= 0]
        return sorted(found, key=lambda each: -each[1])[:NEAREST]


@dataclass(frozen=True)
class Neighbours:
    """``N`` examples, intent after intent, then those out of scope, then decoys."""

    rows: Dense  # (N, D)
    sentences: Dense  # (N, H), see :func:`router.model.meaning.sentences`
    starts: Indices  # (K + 3,) of each intent, of those out of scope, of decoys, and the end

    @classmethod
    def of(cls, rows: Dense, sentences: Dense, labels: Indices, intents: int) -> Neighbours:
        """``labels`` ``(N,)`` ascend, but for those of out of scope and of decoys, which come last."""
        classes = layout.classes_of(labels, intents)
        return cls(rows, sentences, np.searchsorted(classes, np.arange(intents + layout.MORE + 1)))

    def near(self, rows: Dense, logits: Floats) -> Near:
        """``logits`` ``(M, K)`` say which intents are the likeliest of each of ``rows`` ``(M, D)``."""
        intents = len(self.starts) - layout.MORE - 1
        count = min(CANDIDATES, intents)
        width = count + layout.MORE
        candidates = np.empty((len(rows), width), dtype=np.int64)
        candidates[:, :count] = np.argpartition(logits, intents - count, axis=1)[:, intents - count :]
        candidates[:, count:] = np.arange(intents, intents + layout.MORE)
        if len(rows) == 1:
            return self._near_one(rows[0], candidates)
        similarities = np.full((candidates.size, NEAREST), _NONE, dtype=np.float32)
        examples = np.full(similarities.shape, -1, dtype=np.int64)
        for intent, places in _places(candidates).items():
            start, end = self._bounds[intent]
            similar = rows[[place // width for place in places]] @ self.rows[start:end].T
            row = np.arange(len(places))
            for nth in range(min(NEAREST, end - start)):  # less than half the time of a partition
                top = similar.argmax(axis=1)
                similarities[places, nth] = similar[row, top]
                examples[places, nth] = top + start
                similar[row, top] = _NONE
        shape = (*candidates.shape, NEAREST)
        return Near(similarities.reshape(shape), examples.reshape(shape), candidates)

    def _near_one(self, row: Dense, candidates: Indices) -> Near:
        """Of one row ``(D,)`` with ``candidates`` ``(1, C + 2)``: all of them in a few calls of numpy."""
        bounds = [self._bounds[candidate] for candidate in candidates[0].tolist()]
        longest = max(NEAREST, *(end - start for start, end in bounds))
        similar = np.full((len(bounds), longest), _NONE, dtype=np.float32)
        for own, (start, end) in zip(similar, bounds, strict=True):
            np.dot(self.rows[start:end], row, out=own[: end - start])
        top = similar.argpartition(longest - NEAREST, axis=1)[:, longest - NEAREST :]
        top.sort(axis=1)  # of two that are equally near the first example comes first, as in many rows
        similarities = np.take_along_axis(similar, top, axis=1)
        examples = np.where(similarities > _NONE, top + self.starts[candidates[0], None], -1)
        return Near(similarities[None], examples[None], candidates)

    def means_alike(self, sentences: Dense, intents: Indices) -> Dense:
        """``(M,)`` cosine of each of ``sentences`` ``(M, H)`` with the nearest example of its one of
        ``intents`` ``(M,)``; 0 where that has none.
        """
        nearest = np.zeros(len(sentences), dtype=np.float32)
        for intent, places in _places(intents).items():
            start, end = self._bounds[intent]
            if start < end:
                nearest[places] = (sentences[places] @ self.sentences[start:end].T).max(axis=1)
        return nearest

    @cached_property
    def _bounds(self) -> list[tuple[int, int]]:
        return list(pairwise(self.starts.tolist()))


def _places(candidates: Indices) -> dict[int, list[int]]:
    """Each different candidate, and where it stands when all are in one row."""
    places = defaultdict(list)
    for place, candidate in enumerate(candidates.ravel().tolist()):
        places[candidate].append(place)
    return places


def _mean(similarities: Dense) -> Dense:
    """Over the last axis, of those that there are; 0 where there is none."""
    found = similarities > _NONE
    if found.all():
        return np.asarray(similarities.sum(axis=-1) / np.float32(similarities.shape[-1]))
    mean = (similarities * found).sum(axis=-1) / np.maximum(1, found.sum(axis=-1))
    return np.asarray(mean, dtype=np.float32)
