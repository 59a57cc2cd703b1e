"""An encoder that works on several texts at once, each in a thread of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from router.encoding.encoder import TextEncoder, Vectors


class BesideEncoder:
    """``encoder`` in the threads of ``pool``. They hold Python's lock for next to nothing, so that many of
    them keep many cores busy."""

    def __init__(self, encoder: TextEncoder, pool: ThreadPoolExecutor) -> None:
        self._encoder = encoder
        self._pool = pool

    @property
    def identity(self) -> str:
        """See :class:`TextEncoder`, as of all others here."""
        return self._encoder.identity

    @property
    def inner(self) -> int:
        return self._encoder.inner

    @property
    def words(self) -> frozenset[str]:
        return self._encoder.words

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)``; the longest text first, so that none is left to the end alone."""
        if len(texts) < 2:
            return self._encoder.encode(texts)
        places = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = list(self._pool.map(lambda place: self._encoder.encode([texts[place]])[0], places))
        vectors = np.empty((len(texts), len(found[0])), dtype=np.float32)
        vectors[places] = found
        return vectors

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return self._encoder.learned(texts)
