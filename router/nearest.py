"""The examples nearest to a row: among those of its likeliest intents, those out of scope, and decoys.

How near they are is added to the logits: a linear classifier knows the middle of an intent well, and its
nearest examples its edges. Looking only at the likeliest intents keeps a decision's time the same for any
number of intents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from router.examples import DECOY, OUT_OF_SCOPE
from router.features import Dense, Floats, Indices

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

    def weigh(self, logits: Floats) -> Floats:
        """``logits`` ``(M, K + 2)``, the candidates' raised by ``NEARNESS`` times their similarity."""
        weighed = logits.copy()
        rows = np.arange(len(logits))[:, None]
        weighed[rows, self.intents] += NEARNESS * _mean(self.similarities)
        return weighed

    def inside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` of all candidates."""
        inside = self.similarities[:, :-2].reshape(len(self.similarities), -1)
        return _mean(-np.partition(-inside, NEAREST - 1, axis=1)[:, :NEAREST])

    def outside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` out of scope; 0 where there are none."""
        return _mean(self.similarities[:, -2])

    def best(self, row: int) -> list[tuple[int, float]]:
        """Example and similarity of the ``NEAREST`` to one row, nearest first."""
        similarities, examples = self.similarities[row].ravel(), self.examples[row].ravel()
        order = np.argsort(-similarities, kind="stable")[:NEAREST]
        return [(int(examples[n]), float(similarities[n])) for n in order if examples[n] >= 0]


@dataclass(frozen=True)
class Neighbours:
    """Rows of examples ``(N, D)``, intent after intent, then those out of scope, then decoys."""

    rows: Dense
    starts: Indices  # (K + 3,) of each intent, of those out of scope, of decoys, and the end

    @classmethod
    def of(cls, rows: Dense, labels: Indices, intents: int) -> Neighbours:
        """``labels`` ``(N,)`` ascend, but for those of out of scope and of decoys, which come last."""
        classes = np.select([labels == OUT_OF_SCOPE, labels == DECOY], [intents, intents + 1], labels)
        return cls(rows, np.searchsorted(classes, np.arange(intents + 3)))

    def near(self, rows: Dense, logits: Floats) -> Near:
        """``logits`` ``(M, K)`` say which intents are the likeliest of each of ``rows`` ``(M, D)``."""
        intents = len(self.starts) - 3
        count = min(CANDIDATES, intents)
        candidates = np.argpartition(logits, intents - count, axis=1)[:, intents - count :]
        always = np.tile([intents, intents + 1], (len(rows), 1))
        candidates = np.column_stack([candidates, always])
        width = candidates.shape[1]
        similarities = np.full((candidates.size, NEAREST), _NONE, dtype=np.float32)
        examples = np.full(similarities.shape, -1, dtype=np.int64)
        for intent, places in _groups(candidates.ravel()):
            start, end = self.starts[intent], self.starts[intent + 1]
            kept = min(NEAREST, int(end - start))
            if kept == 0:
                continue
            similar = (self.rows[start:end] @ rows[places // width].T).T
            top = np.argpartition(similar, -kept, axis=1)[:, -kept:]
            similarities[places, :kept] = np.take_along_axis(similar, top, axis=1)
            examples[places, :kept] = top + start
        shape = (*candidates.shape, NEAREST)
        return Near(similarities.reshape(shape), examples.reshape(shape), candidates)


def _groups(values: Indices) -> Iterator[tuple[int, Indices]]:
    """Each different value and the places that have it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    for places in np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1):
        yield int(values[places[0]]), places


def _mean(similarities: Dense) -> Dense:
    """Over the last axis, of those that there are; 0 where there is none."""
    found = similarities > _NONE
    mean = np.where(found, similarities, 0).sum(axis=-1) / np.maximum(1, found.sum(axis=-1))
    return np.asarray(mean, dtype=np.float32)
