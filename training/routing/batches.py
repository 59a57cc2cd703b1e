"""Which rows make a step: an intent's come in twos, so that each has another to be drawn to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_POOL = 16  # batches whose rows are sorted by length, so that little is padded


def batches(
    lengths: Sequence[int], classes: Sequence[int], rows: int, seed: int, epoch: int
) -> list[list[int]]:
    """The places of each step's ``rows``, an even number, in one epoch; what is left over waits for another.

    Two rows that follow each other are of one of ``classes``, but for the last of a class with an odd number.
    Rows of like ``lengths`` come together, and the batches in any order.
    """
    chance = np.random.default_rng((seed, epoch))
    pairs = chance.permutation(_pairs(classes, chance))
    sizes = np.asarray(lengths)[pairs].sum(axis=1)
    each = max(1, rows // 2)
    found: list[list[int]] = []
    for start in range(0, len(pairs), each * _POOL):
        pool = pairs[start : start + each * _POOL]
        pool = pool[np.argsort(sizes[start : start + each * _POOL], kind="stable")]
        found += [pool[at : at + each].ravel().tolist() for at in range(0, len(pool), each)]
    whole = [batch for batch in found if len(batch) == 2 * each] or found
    return [whole[place] for place in chance.permutation(len(whole))]


def steps_of(rows: int, batch_rows: int, epochs: float) -> int:
    """Steps that ``epochs`` passes over ``rows`` take."""
    return max(1, math.ceil(max(1, rows // batch_rows) * epochs))


def _pairs(
    classes: Sequence[int], chance: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """``(N // 2, 2)`` places: those of each class in twos by ``chance``, then what was left over."""
    order = chance.permutation(len(classes))
    own = np.asarray(classes)[order]
    twos: list[int] = []
    odd: list[int] = []
    for each in np.unique(own):
        places = order[own == each].tolist()
        even = len(places) // 2 * 2
        twos += places[:even]
        odd += places[even:]
    every = twos + odd
    return np.array(every[: len(every) // 2 * 2], dtype=np.int64).reshape(-1, 2)
