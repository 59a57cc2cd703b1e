"""What the classifier sees of a text: its embedding beside TF-IDF-weighted character n-grams.

The embedding knows meaning; the n-grams know spelling, so that typos, ids and scripts that the encoder never
learned (Chinese with an English one) still tell intents apart. Both halves have length 1 and are weighted so
that the dot product of two rows is ``(1 - share) · cos(embeddings) + share · cos(n-grams)``. Chinese has a
share of its own: what an English encoder makes of it is mostly noise, what a multilingual one does is not.

Departs from sklearn's ``char_wb`` in two ways. Chinese is cut into 1- to 3-grams across the whole run and
other scripts into 2- to 5-grams inside a word, since a Chinese character says as much as a short word. An
n-gram that no example has still counts in the length of a text, so that a text with little in common stays
far from all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.encoder import Vectors

Dense = NDArray[np.float32]

DIRECTIONS = 512  # at most, kept of the n-grams
_BUCKETS = 1 << 20  # of the hashed n-grams; only those seen in the examples are kept
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+|[^\w\s]")
_ID = re.compile(r"(?<![a-z0-9])#?[a-z]{1,4}-?\d{3,}[a-z0-9]*(?![a-z0-9])")
_DIGITS = re.compile(r"\d+")


def fold(text: str) -> str:
    """``text`` with every character in its plain form: no full-width letters, ligatures or circled digits."""
    return unicodedata.normalize("NFKC", text)


def grams(text: str) -> list[str]:
    """The n-grams of a folded ``text``, regardless of case; ids are read as one id, numbers as one number."""
    folded = _DIGITS.sub("0", _ID.sub("id0", text.casefold()))
    found: list[str] = []
    previous = ""
    for run in _RUNS.findall(folded):
        if _is_cjk(run[0]):
            found += [run[i : i + n] for n in (1, 2, 3) for i in range(len(run) - n + 1)]
            continue
        padded = f" {run} "
        found += [padded[i : i + n] for n in (2, 3, 4, 5) for i in range(len(padded) - n + 1)]
        found += [padded, f"{previous}{padded}"]
        previous = padded
    return found


def _is_cjk(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of a similarity the n-grams make up, 0 to 1."""

    chinese: float
    other: float

    def of(self, texts: Sequence[str]) -> Dense:
        """``(N, 1)``: a text in both gets the mean by its characters of Chinese and its other words."""
        chinese = np.array([[chinese_part(text)] for text in texts], dtype=np.float32).reshape(-1, 1)
        return np.asarray(self.other + (self.chinese - self.other) * chinese, dtype=np.float32)


def chinese_part(text: str) -> float:
    """Characters of Chinese in ``text`` by these and all other words; 0 to 1."""
    runs = _RUNS.findall(text)
    chinese = sum(len(run) for run in runs if _is_cjk(run[0]))
    words = sum(1 for run in runs if run[0].isalnum() and not _is_cjk(run[0]))
    return chinese / max(1, chinese + words)


@dataclass(frozen=True)
class Spelling:
    """TF-IDF over the ``D`` n-grams that the examples have, rotated into their ``R`` main directions.

    The rotation (latent semantic analysis) makes rows dense, so that a fit over hundreds of intents takes
    seconds; with fewer examples than ``DIRECTIONS`` it loses nothing.
    """

    columns: NDArray[np.int64]  # (D,) sorted buckets of the n-grams that are known
    idf: NDArray[np.float64]  # (D,)
    idf_unseen: float  # weight of an n-gram that no example has
    directions: Dense  # (D, R)

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Spelling:
        from sklearn.utils.extmath import randomized_svd

        counts = _count(texts)
        rows_with = np.bincount(counts.indices, minlength=_BUCKETS)
        columns = np.flatnonzero(rows_with)
        idf = 1 + np.log((1 + len(texts)) / (1 + rows_with[columns]))
        unrotated = cls(columns, idf, 1 + float(np.log(1 + len(texts))), np.zeros((0, 0), np.float32))
        rank = min(DIRECTIONS, len(texts), len(columns))
        _, _, directions = randomized_svd(unrotated._weigh(counts), rank, n_iter=2, random_state=0)
        return replace(unrotated, directions=np.ascontiguousarray(directions.T, dtype=np.float32))

    def transform(self, texts: Sequence[str]) -> Dense:
        """``(N, R)`` rows of length 1 at most: less by the share of n-grams that no example has."""
        return np.asarray(self._weigh(_count(texts)) @ self.directions, dtype=np.float32)

    def _weigh(self, counts: Any) -> Any:
        from scipy.sparse import csr_matrix

        place = np.searchsorted(self.columns, counts.indices)
        place[place == len(self.columns)] = 0
        seen = self.columns[place] == counts.indices
        weights = (1 + np.log(counts.data)) * np.where(seen, self.idf[place], self.idf_unseen)
        rows = counts.shape[0]
        row = np.repeat(np.arange(rows), np.diff(counts.indptr))
        weights /= np.sqrt(np.bincount(row, weights**2, minlength=rows))[row]
        return csr_matrix((weights[seen], (row[seen], place[seen])), shape=(rows, len(self.columns)))


def join(embeddings: Vectors, spelling: Dense, shares: Dense) -> Dense:
    """``(N, H + R)`` rows: the embedding and the n-grams, the latter with ``shares`` ``(N, 1)``."""
    return np.hstack([embeddings * np.sqrt(1 - shares), spelling * np.sqrt(shares)])


def _count(texts: Sequence[str]) -> Any:
    """``(N, _BUCKETS)`` sparse counts of hashed n-grams."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(analyzer=grams, n_features=_BUCKETS, norm=None, alternate_sign=False)
    return vectorizer.transform(texts)
