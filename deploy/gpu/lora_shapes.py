"""Which matrices the LoRA kernels multiply for a base, and which block sizes are worth a try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

PREFILL = 256  # tokens in a batch from which prompts are in it


@dataclass(frozen=True)
class Shape:
    """One kernel on one layer. ``rank`` × ``widths[i]`` is the matrix of slice i; vLLM fuses q, k and v."""

    op: Literal["shrink", "expand"]
    rank: int
    widths: tuple[int, ...]

    @property
    def slices(self) -> int:
        """Matrices that one launch multiplies."""
        return len(self.widths)

    @property
    def wide(self) -> int:
        """The width that vLLM looks configurations up by."""
        return max(self.widths)


def shapes_of(config: Mapping[str, int], rank: int) -> list[Shape]:
    """The kernels of a Llama-like base, by its ``config.json``."""
    hidden, inner, heads = (
        config["hidden_size"],
        config["intermediate_size"],
        config["num_attention_heads"],
    )
    one_head = config.get("head_dim") or hidden // heads
    attention = heads * one_head
    keys = (config.get("num_key_value_heads") or heads) * one_head
    shrinks = ((hidden,) * 3, (attention,), (hidden,) * 2, (inner,))
    expands = ((attention, keys, keys), (hidden,), (inner,) * 2)
    found = [Shape("shrink", rank, widths) for widths in shrinks]
    found += [Shape("expand", rank, widths) for widths in expands]
    return list(dict.fromkeys(found))


def candidates(shape: Shape, batch: int) -> list[dict[str, int | None]]:
    """Block sizes to try for ``batch`` tokens, in the words of vLLM's files."""
    plain: dict[str, int | None] = {"num_ctas": 1, "max_nreg": None}
    if shape.op == "shrink":
        block_n = max(16, shape.rank)
        few = batch < PREFILL
        grid = product(
            (16, 32) if few else (32, 64),
            (128, 256) if few else (64, 128),
            (2, 4, 8, 16, 24) if few else (1, 2, 4, 8),
            (2, 4, 8) if few else (4, 8),
            (2, 3),
        )
        return [
            {
                **plain,
                **{"block_m": m, "block_n": block_n, "block_k": k, "split_k": split},
                **{"num_warps": warps, "num_stages": stages, "group_size_m": 8},
            }
            for m, k, split, warps, stages in grid
            if k * (split - 1) < max(shape.widths)  # else some of the splits have nothing to add
        ]
    return [
        {
            **plain,
            **{"block_m": m, "block_n": n, "block_k": max(16, min(32, shape.rank))},
            **{"num_warps": warps, "num_stages": 2},
        }
        for m, n, warps in product((16, 32, 64), (64, 128, 256), (2, 4, 8))
    ]
