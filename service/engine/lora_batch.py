"""Whose tokens a batch holds, as vLLM's LoRA kernels and ours are told it.

vLLM finds this out on the card, with some ten launches, and waits for the answer: so the next step is not
prepared while this one runs. It knows it on the host, where it takes some tens of microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TILE = 16  # tokens: what tensor cores multiply at once

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """The tokens of a batch by the slots of their adapters. Tokens without one are in none of this."""

    slots: Numbers  # (adapters,) ascending
    counts: Numbers  # (adapters,) tokens of each
    starts: Numbers  # (adapters + 1,) where each one's begin in ``tokens``, and where the last one's end
    tokens: Numbers  # (tokens,) rows of the batch, those of an adapter together
    tiles: Numbers  # (tiles, 4): slot, first in ``tokens``, how many, at most ``TILE``; 0

    @classmethod
    def of(cls, owners: Numbers) -> Batch:
        """The batch whose tokens have the slots ``owners``; -1 is a token without an adapter."""
        order = np.argsort(owners, kind="stable").astype(np.int32)
        tokens = order[np.count_nonzero(owners < 0) :]
        slots, first, counts = np.unique(owners[tokens], return_index=True, return_counts=True)
        each = -(-counts // TILE)  # tiles of an adapter
        within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        begin = np.repeat(first, each) + within * TILE
        size = np.minimum(np.repeat(first + counts, each) - begin, TILE)
        tiles = np.stack([np.repeat(slots, each), begin, size, np.zeros_like(size)], axis=1)
        starts = np.append(first, len(tokens))
        small = (part.astype(np.int32) for part in (slots, counts, starts, tokens, tiles))
        return cls(*small)


def most_tiles(tokens: int, adapters: int) -> int:
    """So many tiles hold any batch of at most ``tokens`` tokens of at most ``adapters`` adapters."""
    return min(tokens, adapters + tokens // TILE)
