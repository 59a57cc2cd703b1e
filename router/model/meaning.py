"""Embeddings of texts → rows: turned into their main directions; and the sentence vectors in them.

The rotation keeps nearly all of the similarities in a third of the columns, so that a fit over hundreds of
intents takes seconds (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.encoding.encoder import Vectors
from router.model.features import Dense

DIRECTIONS = 256  # at most, kept of the embedding
LANDMARKS = 4_000  # examples, at most, that the directions are found on
_RANK = 1e-6  # of the largest eigenvalue: smaller ones are noise
_SHORTEST = 1e-6  # length of a vector, so that nothing is divided by zero


def sentences(embeddings: Vectors, inner: int) -> Dense:
    """``(N, H)``: an encoder's own vectors, of length 1, without the ``inner`` last columns."""
    own = embeddings[:, : embeddings.shape[1] - inner]
    return np.asarray(own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), _SHORTEST))


@dataclass(frozen=True)
class Meaning:
    """The ``R`` main directions of embeddings of ``H`` columns."""

    directions: Dense  # (H, R), each column's weight in it

    @classmethod
    def fit(cls, embeddings: Vectors, weights: Dense | None = None) -> Meaning:
        """The main directions of ``embeddings`` ``(N, H)``; all that they span, where that is few.

        ``weights`` ``(H,)`` are of the columns, 1 each where none are given.
        """
        from scipy.linalg import eigh

        weights = np.ones(embeddings.shape[1], dtype=np.float32) if weights is None else weights
        landmarks = weights * embeddings[:: -(-len(embeddings) // LANDMARKS)]
        size = landmarks.shape[1]
        spread = landmarks.T @ landmarks
        values, vectors = eigh(spread, subset_by_index=(max(0, size - DIRECTIONS), size - 1))
        kept = weights[:, None] * vectors[:, values > _RANK * values[-1]]
        return cls(np.ascontiguousarray(kept, dtype=np.float32))

    def transform(self, embeddings: Vectors) -> Dense:
        """``(M, R)`` rows of length 1 at most: less by what lies in no main direction."""
        return np.asarray(embeddings @ self.directions)
