"""LoRA for the tokens of many adapters on a GPU: two Triton kernels in the place of vLLM's three launches.

Where each adapter of a batch has some tokens, as when a server decodes, the products are so small that what
costs is how they are launched: vLLM zeroes a buffer, adds partial sums into it atomically, and multiplies by
B with one block of threads for each adapter and each block of rows, most of which have none. Here

- the work is a list of tiles, at most ``TILE`` tokens of one adapter each (``lora_batch``), so that hardly a
  block of threads has nothing to do;
- ``x · A`` leaves its partial sums where they are, and the other kernel adds them up: no zeroing, no atomics;
- the second kernel starts while the first one runs, and reads its part of B meanwhile (programmatic dependent
  launch, from Hopper on).

The idea of one launch for all adapters is Punica's (Chen et al. 2023, arXiv:2310.18547).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from service.engine.lora_batch import TILE, most_tiles

MOST_SLICES = 3  # matrices that are multiplied at once: q, k and v
MOST_RANK = 64  # above it a tile's part of A and B no longer lies in registers
_STEP = 256  # of x and A that one block of threads multiplies
_WIDTH = 128  # outputs of one block of threads


def fits(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor], widths: Sequence[int]) -> bool:
    """Whether ``lora`` can multiply by these."""
    return (
        len(a) <= MOST_SLICES
        and a[0].shape[-2] <= MOST_RANK
        and all(one.is_contiguous() for one in (*a, *b))
        and [one.shape[-2] for one in b] == list(widths)
    )


@torch.library.custom_op(
    "pointsman::lora",
    mutates_args=("y",),
    schema="(Tensor(a!) y, Tensor x, Tensor[] a, Tensor[] b, Tensor tiles, Tensor tokens, Tensor none, "
    "Tensor active, float scale) -> ()",
)
def add(  # noqa: PLR0917 - an operation has no keywords
    y: torch.Tensor,
    x: torch.Tensor,
    a: list[torch.Tensor],
    b: list[torch.Tensor],
    tiles: torch.Tensor,
    tokens: torch.Tensor,
    none: torch.Tensor,  # (1,) on the host: whether no token has an adapter
    active: torch.Tensor,  # (1,) on the host: adapters at most; both are read when it runs, not when traced
    scale: float,
) -> None:
    """``lora`` as an operation that torch.compile leaves whole."""
    if not none.item() and len(x):
        lora(y, x, a, b, tiles, tokens, scale, most_tiles(len(x), int(active.item())))


def lora(  # noqa: PLR0917
    y: torch.Tensor,  # (T, sum of widths), added to
    x: torch.Tensor,  # (T, in)
    a: Sequence[torch.Tensor],  # of each slice (slots, 1, r, in)
    b: Sequence[torch.Tensor],  # of each slice (slots, 1, width, r)
    tiles: torch.Tensor,  # (n, 4) int32: slot, first place in ``tokens``, tokens, 0; slot -1: nothing
    tokens: torch.Tensor,  # (T,) int32: the rows of x and y, those of an adapter together
    scale: float,
    count: int,  # tiles to look at
) -> None:
    """``y[t] += scale · x[t] · Aᵀ · Bᵀ`` with the matrices of each token's own adapter."""
    x = x.contiguous()
    slices, rank, inner = len(a), a[0].shape[-2], a[0].shape[-1]
    splits = triton.cdiv(inner, _STEP)
    low = torch.empty((slices, splits, len(x), rank), dtype=torch.float32, device=x.device)
    widths = [one.shape[-2] for one in b]
    unused = MOST_SLICES - slices
    matrices = [*a, *[a[0]] * unused], [*b, *[b[0]] * unused]
    shape = {"SLICES": slices, "RANK": rank, "RANKS": max(16, triton.next_power_of_2(rank)), "TILE": TILE}
    ahead = x.is_cuda and torch.cuda.get_device_capability(x.device)[0] >= 9
    _shrink[(splits, slices, count)](
        *(x, x.stride(0), *matrices[0], a[0].stride(0)),
        *(low, low.stride(0), low.stride(1), tiles, tokens),
        IN=inner,
        STEP=_STEP,
        AHEAD=ahead,
        **shape,
    )
    blocks = [triton.cdiv(one, _WIDTH) for one in widths]
    _expand[(sum(blocks), count)](
        *(y, y.stride(0), *matrices[1], *widths, *[0] * unused),
        *(low, low.stride(0), low.stride(1), tiles, tokens, scale),
        SPLITS=splits,
        WIDTH=_WIDTH,
        AHEAD=ahead,
        **shape,
        launch_pdl=ahead,
    )


@triton.jit  # type: ignore[untyped-decorator]
def _shrink(  # type: ignore[no-untyped-def]  # noqa: PLR0917
    x, x_row, a0, a1, a2, a_slot, low, low_slice, low_split, tiles, tokens,
    IN: tl.constexpr, STEP: tl.constexpr, AHEAD: tl.constexpr,
    SLICES: tl.constexpr, RANK: tl.constexpr, RANKS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """``low[slice, split, place] = x[token, part] · A[part]ᵀ`` for the tokens of a tile."""
    split, which, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    slot = tl.load(tiles + tile * 4)
    first = tl.load(tiles + tile * 4 + 1)
    count = tl.load(tiles + tile * 4 + 2)
    if AHEAD:
        tl.extra.cuda.gdc_launch_dependents()
    if slot >= 0:
        a = a0
        if SLICES > 1:  # noqa: SIM102 - decided when it is compiled
            if which == 1:
                a = a1
        if SLICES > 2:  # noqa: SIM102
            if which == 2:
                a = a2
        part = split * STEP + tl.arange(0, STEP)
        rank = tl.arange(0, RANKS)
        place = tl.arange(0, TILE)
        inside = part < IN
        matrix = tl.load(
            a + slot.to(tl.int64) * a_slot + rank[None, :] * IN + part[:, None],
            mask=inside[:, None] & (rank < RANK)[None, :],
            other=0.0,
        )
        token = tl.load(tokens + first + place, mask=place < count, other=0)
        rows = tl.load(
            x + token[:, None].to(tl.int64) * x_row + part[None, :],
            mask=(place < count)[:, None] & inside[None, :],
            other=0.0,
        )
        found = tl.dot(rows, matrix)
        tl.store(
            low + which * low_slice + split * low_split + (first + place)[:, None] * RANK + rank[None, :],
            found,
            mask=(place < count)[:, None] & (rank < RANK)[None, :],
        )


@triton.jit  # type: ignore[untyped-decorator]
def _expand(  # type: ignore[no-untyped-def]  # noqa: PLR0917
    y, y_row, b0, b1, b2, width0, width1, width2, low, low_slice, low_split, tiles, tokens, scale,
    SPLITS: tl.constexpr, WIDTH: tl.constexpr, AHEAD: tl.constexpr,
    SLICES: tl.constexpr, RANK: tl.constexpr, RANKS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """``y[token, block] += scale · sum of low · B[block]ᵀ`` for the tokens of a tile."""
    block, tile = tl.program_id(0), tl.program_id(1)
    slot = tl.load(tiles + tile * 4)
    first = tl.load(tiles + tile * 4 + 1)
    count = tl.load(tiles + tile * 4 + 2)
    if slot >= 0:
        b, width, begin, which = b0, width0, 0, 0
        if SLICES > 1:
            past = (width0 + WIDTH - 1) // WIDTH
            if block >= past:
                b, width, begin, which, block = b1, width1, width0, 1, block - past
                if SLICES > 2:
                    past = (width1 + WIDTH - 1) // WIDTH
                    if block >= past:
                        b, width, begin, which, block = b2, width2, width0 + width1, 2, block - past
        column = block * WIDTH + tl.arange(0, WIDTH)
        rank = tl.arange(0, RANKS)
        place = tl.arange(0, TILE)
        matrix = tl.load(
            b + slot.to(tl.int64) * width * RANK + column[None, :] * RANK + rank[:, None],
            mask=(column < width)[None, :] & (rank < RANK)[:, None],
            other=0.0,
        )
        token = tl.load(tokens + first + place, mask=place < count, other=0)
        if AHEAD:
            tl.extra.cuda.gdc_wait()
        live = (place < count)[:, None] & (rank < RANK)[None, :]
        at = low + which * low_slice + (first + place)[:, None] * RANK + rank[None, :]
        total = tl.full((TILE, RANKS), 0.0, tl.float32)
        for split in tl.static_range(SPLITS):
            total += tl.load(at + split * low_split, mask=live, other=0.0)
        found = tl.dot((total * scale).to(matrix.dtype), matrix)
        to = y + token[:, None].to(tl.int64) * y_row + begin + column[None, :]
        mask = (place < count)[:, None] & (column < width)[None, :]
        tl.store(to, (found + tl.load(to, mask=mask, other=0.0)).to(y.dtype.element_ty), mask=mask)
