"""The examples nearest to a row: among those of its likeliest intents, and among those out of scope.

Looking only at the likeliest intents keeps a decision's time the same for any number of intents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.features import Dense, Floats, Indices

NEAREST = 3  # examples, of each intent looked at and out of scope
CANDIDATES = 3  # likeliest intents that are looked at


@dataclass(frozen=True)
class Near:
    """For ``M`` rows, the nearest of each candidate ``(M, C + 1, NEAREST)``, last those out of scope.

    Where a candidate has fewer examples, ``examples`` is -1 and ``similarities`` is -1.
    """

    similarities: Dense
    examples: Indices

    def inside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` of all candidates."""
        return _mean_of_largest(self.similarities[:, :-1].reshape(len(self.similarities), -1))

    def outside(self) -> Dense:
        """``(M,)`` mean similarity to the ``NEAREST`` out of scope; 0 where there are none."""
        return _mean_of_largest(self.similarities[:, -1])

    def best(self, row: int) -> list[tuple[int, float]]:
        """Example and similarity of the ``NEAREST`` to one row, nearest first."""
        similarities, examples = self.similarities[row].ravel(), self.examples[row].ravel()
        order = np.argsort(-similarities, kind="stable")[:NEAREST]
        return [(int(examples[n]), float(similarities[n])) for n in order if examples[n] >= 0]


@dataclass(frozen=True)
class Neighbours:
    """Rows of examples ``(N, D)``, intent after intent, last those out of scope."""

    rows: Dense
    starts: Indices  # (K + 2,) of each intent, of those out of scope, and the end

    @classmethod
    def of(cls, rows: Dense, labels: Indices, intents: int) -> Neighbours:
        """``labels`` ``(N,)`` ascend, but for the -1 of out of scope, which come last."""
        classes = np.where(labels < 0, intents, labels)
        return cls(rows, np.searchsorted(classes, np.arange(intents + 2)))

    def near(self, rows: Dense, logits: Floats) -> Near:
        """``logits`` ``(M, K)`` say which intents are the likeliest of each of ``rows`` ``(M, D)``."""
        intents = len(self.starts) - 2
        count = min(CANDIDATES, intents)
        candidates = np.argpartition(logits, intents - count, axis=1)[:, intents - count :]
        candidates = np.column_stack([candidates, np.full(len(rows), intents)])
        similarities = np.full((*candidates.shape, NEAREST), -1, dtype=np.float32)
        examples = np.full(similarities.shape, -1, dtype=np.int64)
        for intent in np.unique(candidates):
            start, end = self.starts[intent], self.starts[intent + 1]
            if start == end:
                continue
            row, slot = np.nonzero(candidates == intent)
            similar = (self.rows[start:end] @ rows[row].T).T
            kept = min(NEAREST, int(end - start))
            top = np.argpartition(similar, -kept, axis=1)[:, -kept:]
            similarities[row, slot, :kept] = np.take_along_axis(similar, top, axis=1)
            examples[row, slot, :kept] = top + start
        return Near(similarities, examples)


def _mean_of_largest(similarities: Dense) -> Dense:
    largest = -np.partition(-similarities, NEAREST - 1, axis=1)[:, :NEAREST]
    found = largest > -1
    mean = np.where(found, largest, 0).sum(axis=1) / np.maximum(1, found.sum(axis=1))
    return np.asarray(mean, dtype=np.float32)
