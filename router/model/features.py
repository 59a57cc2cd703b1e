"""What the classifier sees of a text: its embedding beside TF-IDF-weighted character n-grams.

The embedding knows meaning; the n-grams know spelling, so that typos, ids and scripts that the encoder never
learned (Chinese with an English one) still tell intents apart. Both halves have length 1 and are weighted so
that the dot product of two rows is ``(1 - share) · cos(embeddings) + share · cos(n-grams)``. Chinese has a
share of its own: what an English encoder makes of it is mostly noise, what a multilingual one does is not.

Departs from sklearn's ``char_wb`` in two ways. Chinese is cut into 1- to 3-grams across the whole run, and
other scripts into 2- to 5-grams inside a word, since a Chinese character says as much as a short word. An
n-gram that no example has still counts in the length of a text, so that a text with little in common stays
far from all.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Dense = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

DIRECTIONS = 256  # at most, kept of the n-grams
LANDMARKS = 1_000  # examples, at most, that the directions are found on
_CHINESE_ROOM = (
    3  # times as many of both, where half of the examples are Chinese: its n-grams are its meaning
)
_BUCKETS = 1 << 20  # of the hashed n-grams; only those seen in the examples are kept
_RANK = 1e-5  # of the largest eigenvalue: smaller ones are noise
_CHUNK = 2_048  # rows at a time, where all of them would take much memory
_SMALLEST = 1e-12  # largest entry of a row, so that no scale is zero
_FIRST_CJK = "\u3400"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CHINESE = re.compile(f"[{_CJK}]")
_RUNS = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+|[^\w\s]")
_ID = re.compile(r"(?<![a-z0-9])#?[a-z]{1,4}-?\d{3,}[a-z0-9]*(?![a-z0-9])")
_LONGEST_WORD = 100  # characters; encoders of WordPiece take a longer one for unknown, whatever is in it
_LONGER_WORD = re.compile(rf"[^\s{_CJK}]{{{_LONGEST_WORD}}}(?=[^\s{_CJK}])")
_DIGITS = re.compile(r"\d+")


def fold(text: str) -> str:
    """``text`` with every character in its plain form: no full-width letters, ligatures or circled digits.

    A word without end is cut: as a whole it would look like any other that the encoder does not know.
    """
    text = unicodedata.normalize("NFKC", text)
    return _LONGER_WORD.sub(r"\g<0> ", text) if len(text) > _LONGEST_WORD else text


def buckets(text: str) -> Indices:
    """``(G,)`` hashed n-grams of a folded ``text``, regardless of case; a word also with the one before it.

    Ids are read as one id, numbers as one number.
    """
    folded = text.casefold()
    if _DIGITS.search(folded):
        folded = _DIGITS.sub("0", _ID.sub("id0", folded))
    found = array("q")
    before = 0  # CRC of the word before
    for run in _RUNS.findall(folded):
        if run[0] >= _FIRST_CJK and _is_cjk(run[0]):
            found.extend([_hash(run[i : i + n]) for n in (1, 2, 3) for i in range(len(run) - n + 1)])
            continue
        own, padded, crc = _word(run)
        found.extend(own)
        found.append(zlib.crc32(padded, before) % _BUCKETS)
        before = crc
    return np.frombuffer(found, dtype=np.int64) if found else np.zeros(0, dtype=np.int64)


@lru_cache(maxsize=1 << 15)  # a word comes again and again
def _word(word: str) -> tuple[array[int], bytes, int]:
    """Hashed n-grams of a word, its bytes with a space at each end, and their CRC."""
    padded = f" {word} "
    grams = [padded[i : i + n] for n in (2, 3, 4, 5) for i in range(len(padded) - n + 1)]
    whole = padded.encode("utf-8", "surrogatepass")
    return array("q", map(_hash, (*grams, padded))), whole, zlib.crc32(whole)


def _hash(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) % _BUCKETS


def _is_cjk(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of a similarity the n-grams make up, 0 to 1."""

    chinese: float
    other: float

    def of(self, chinese: Dense) -> Dense:
        """``(N, 1)``: a text in both, by its :func:`chinese_parts`, gets the mean."""
        return np.asarray(self.other + (self.chinese - self.other) * chinese, dtype=np.float32)


def chinese_parts(texts: Sequence[str]) -> Dense:
    """``(N, 1)``, :func:`chinese_part` of each."""
    return np.array([chinese_part(text) for text in texts], dtype=np.float32)[:, None]


def chinese_part(text: str) -> float:
    """Characters of Chinese in ``text`` by these and all other words; 0 to 1."""
    if not _CHINESE.search(text):
        return 0.0
    runs = _RUNS.findall(text)
    chinese = sum(len(run) for run in runs if _is_cjk(run[0]))
    words = sum(1 for run in runs if run[0].isalnum() and not _is_cjk(run[0]))
    return chinese / max(1, chinese + words)


@dataclass(frozen=True)
class Spelling:
    """TF-IDF over the ``D`` n-grams that the examples have, rotated into their ``R`` main directions.

    The rotation (latent semantic analysis) makes rows dense, so that a fit over hundreds of intents takes
    seconds. It is found on ``LANDMARKS`` of the examples (Nyström), which costs the same for any number.
    Only the ``P`` n-grams that a landmark has lie in any direction; their rows are kept in 8 bits, as they
    are most of what a router holds in memory.
    """

    columns: Indices  # (D,) sorted buckets of the n-grams that are known
    idf: Dense  # (D,)
    idf_unseen: float  # weight of an n-gram that no example has
    places: NDArray[np.int32]  # (D,) of each in the rows of ``directions``; -1: in none
    directions: NDArray[np.int8]  # (P, R)
    scales: Dense  # (P,) of a row of ``directions``

    @classmethod
    def fit(cls, texts: Sequence[str]) -> tuple[Spelling, Dense]:
        """The directions, and the rows of ``texts`` in them."""
        rows, found, counts = _count(texts)
        rows_with = np.bincount(found, minlength=_BUCKETS)
        columns = np.flatnonzero(rows_with)
        idf = (1 + np.log((1 + len(texts)) / (1 + rows_with[columns]))).astype(np.float32)
        nowhere = np.full(len(columns), -1, dtype=np.int32)
        unrotated = cls(
            *(columns, idf, 1 + float(np.log(1 + len(texts))), nowhere),
            *(np.zeros((0, 0), np.int8), np.zeros(0, np.float32)),
        )
        weighted = unrotated._weigh(rows, found, counts, len(texts))
        chinese = sum(chinese_part(text) >= 0.5 for text in texts) / len(texts)
        room = 1 + (_CHINESE_ROOM - 1) * min(1.0, 2 * chinese)
        landmarks = weighted[:: -(-len(texts) // int(LANDMARKS * room))]
        towards = _towards(landmarks, int(DIRECTIONS * room))
        used = np.unique(landmarks.indices)
        places = nowhere.copy()
        places[used] = np.arange(len(used), dtype=np.int32)
        directions, scales, spelled = _rotated(landmarks[:, used], towards, weighted[:, used])
        return replace(unrotated, places=places, directions=directions, scales=scales), spelled

    def transform(self, texts: Sequence[str]) -> Dense:
        """``(N, R)`` rows of length 1 at most: less by the share of n-grams that no example has.

        As :meth:`fit` makes them, in few calls of numpy: a decision has no time for a sparse matrix.
        """
        if not texts:
            return np.zeros((0, self.directions.shape[1]), dtype=np.float32)
        each = [buckets(text) for text in texts]
        keys = each[0]
        if len(each) > 1:
            keys = np.concatenate(each)
            keys += np.repeat(np.arange(len(each)) * _BUCKETS, [len(found) for found in each])
        keys, counts = _counted(keys)
        place, weights = self._weights(keys % _BUCKETS, counts)
        lines = self._rows[place]
        used = lines >= 0
        lines = lines[used]
        scaled = weights[used] * self.scales[lines]
        directions = self.directions[lines].astype(np.float32)
        ends = np.arange(1, len(each) + 1) * _BUCKETS
        own, inside = _slices(np.searchsorted(keys, ends)), _slices(np.searchsorted(keys[used], ends))
        lengths = [np.sqrt(weights[part] @ weights[part]) or np.float32(1) for part in own]
        rows = [
            scaled[part] / length @ directions[part] for part, length in zip(inside, lengths, strict=True)
        ]
        return np.array(rows, dtype=np.float32)

    def _weigh(self, rows: Indices, found: Indices, counts: Indices, size: int) -> Any:
        """``(size, D)`` sparse TF-IDF, of which every row has length 1 before unknown n-grams are dropped."""
        from scipy.sparse import csr_matrix

        place, weights = self._weights(found, counts)
        weights /= np.sqrt(np.bincount(rows, weights**2, minlength=size))[rows]
        seen = place >= 0
        row_starts = np.concatenate([[0], np.cumsum(np.bincount(rows[seen], minlength=size))])
        entries = (weights[seen], place[seen], row_starts)
        return csr_matrix(entries, shape=(size, len(self.columns)))

    def _weights(self, found: Indices, counts: Indices) -> tuple[NDArray[np.int32], Dense]:
        """Column, -1 where it is not known, and weight of each n-gram."""
        place = self._column[found]
        return place, (1 + np.log(counts, dtype=np.float32)) * self._idf[place]

    @cached_property
    def _column(self) -> NDArray[np.int32]:
        """``(_BUCKETS,)`` of each bucket; -1: not known. A search in ``columns`` takes ten times as long."""
        column = np.full(_BUCKETS, -1, dtype=np.int32)
        column[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        return column

    @cached_property
    def _idf(self) -> Dense:
        """``(D + 1,)`` of each column; last, where -1 finds it, of what is not known."""
        return np.append(self.idf, np.float32(self.idf_unseen))

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        """``(D + 1,)``, as ``places``; last, where -1 finds it, that of what is not known."""
        return np.append(self.places, np.int32(-1))


def _towards(landmarks: Any, most: int) -> Dense:
    """``(L, R)``: similarities to sparse ``landmarks`` ``(L, D)`` times this are a row in the directions.

    An eigenvector ``u`` of ``L Lᵀ`` of eigenvalue ``w`` gives the direction ``Lᵀ u / √w``; this holds
    each ``u / √w``.
    """
    from scipy.linalg import eigh

    size = landmarks.shape[0]
    similar = (landmarks @ landmarks.T).toarray()
    values, vectors = eigh(similar, subset_by_index=(max(0, size - most), size - 1), overwrite_a=True)
    kept = values > _RANK * values[-1]
    return np.ascontiguousarray(vectors[:, kept] / np.sqrt(values[kept]), dtype=np.float32)


def _rotated(landmarks: Any, towards: Dense, weighted: Any) -> tuple[NDArray[np.int8], Dense, Dense]:
    """``(P, R)`` rows, in 8 bits, of the n-grams of sparse ``landmarks`` ``(L, P)``, and their scales; and
    ``(N, R)`` of the texts whose n-grams are sparse ``weighted`` ``(N, P)``.

    A part at a time: all n-grams in 32 bits would be the peak of a fit.
    """
    by_gram, by_text = landmarks.T.tocsr(), weighted.tocsc()
    directions = np.zeros((by_gram.shape[0], towards.shape[1]), dtype=np.int8)
    scales = np.zeros(by_gram.shape[0], dtype=np.float32)
    rows = np.zeros((by_text.shape[0], towards.shape[1]), dtype=np.float32)
    for start in range(0, len(scales), _CHUNK):
        part = by_gram[start : start + _CHUNK] @ towards
        rows += by_text[:, start : start + _CHUNK] @ part
        scale = np.maximum(np.abs(part).max(axis=1), _SMALLEST) / 127
        directions[start : start + _CHUNK] = np.rint(part / scale[:, None])
        scales[start : start + _CHUNK] = scale
    return directions, scales, rows


def join(meaning: Dense, spelling: Dense, shares: Dense) -> Dense:
    """``(N, D)`` rows: the embedding's columns and the n-grams', the latter with ``shares`` ``(N, 1)``."""
    columns = meaning.shape[1]
    rows = np.empty((len(meaning), columns + spelling.shape[1]), dtype=np.float32)
    np.multiply(meaning, np.sqrt(1 - shares), out=rows[:, :columns])
    np.multiply(spelling, np.sqrt(shares), out=rows[:, columns:])
    return rows


def _slices(ends: Indices) -> list[slice]:
    return [slice(start, end) for start, end in pairwise((0, *ends.tolist()))]


def _counted(grams: Indices) -> tuple[Indices, Indices]:
    """The different ones in order, and how often each is there; numpy's own takes twice as long."""
    grams = np.sort(grams)
    last = np.ones(len(grams), dtype=np.bool_)  # of its equals
    np.not_equal(grams[1:], grams[:-1], out=last[:-1])
    ends = np.flatnonzero(last) + 1
    counts = ends.copy()
    counts[1:] -= ends[:-1]
    return grams[last], counts


def _count(texts: Sequence[str]) -> tuple[Indices, Indices, Indices]:
    """Row, bucket and count of each different n-gram of each text, in that order."""
    each = [buckets(text) for text in texts]
    row = np.repeat(np.arange(len(each)), [len(found) for found in each])
    keys, counts = np.unique(row * _BUCKETS + np.concatenate(each), return_counts=True)
    return keys // _BUCKETS, keys % _BUCKETS, counts
