"""LoRA's two halves on a CPU, for many tokens at once: one multiplication for each adapter.

vLLM's CPU operations copy the adapter's matrix for every token of a batch: 32 MB for 600 tokens into 832
outputs, for each of the seven matrices of each layer. That is most of the time in which a prompt is read, and
malloc's heap grows by such buffers. Here the tokens of an adapter are multiplied by its matrix together.
Few tokens, as in a step that gives each request one more, stay with vLLM's own operation, which is quicker
then; so does whatever is being compiled, as the number of adapters is not known there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FEW = 64  # tokens
_EACH = 8  # tokens of an adapter, as a mean, from which on this is quicker

Operation = Callable[..., None]


def shrinking(original: Operation) -> Operation:
    """``original`` (y = scaling · x · A) with many tokens by adapter; index -1 gives zero."""

    def shrink(
        inputs: Any,  # (T, in)
        weights: Any,  # (slots, 1, r, in)
        output: Any,  # (T, r or more), written
        indices: Any,  # (T,) slot of each token
        scaling: float = 1.0,
    ) -> None:
        groups = _groups(inputs, indices)
        if groups is None:
            original(inputs, weights, output, indices, scaling)
            return
        rank = weights.shape[-2]
        output[:, :rank] = 0
        for slot, rows in groups:
            output[rows, :rank] = scaling * _times(inputs[rows], weights[slot], output)

    return shrink


def expanding(original: Operation) -> Operation:
    """``original`` (output += y · B) with many tokens by adapter; index -1 adds nothing."""

    def expand(
        inputs: Any,  # (T, r)
        weights: Any,  # (slots, 1, out, r)
        output: Any,  # (T, out or more)
        indices: Any,  # (T,)
        add_inputs: bool = True,
    ) -> None:
        groups = _groups(inputs, indices) if add_inputs else None
        if groups is None or len(inputs) != len(output):
            original(inputs, weights, output, indices, add_inputs)
            return
        width = min(weights.shape[-2], output.shape[1])
        for slot, rows in groups:
            output[rows, :width] += _times(inputs[rows], weights[slot], output)[:, :width]

    return expand


def expanding_slice(original: Operation) -> Operation:
    """The same into some columns: behind the indices come the first, how many, and whether it adds."""

    def expand_slice(inputs: Any, weights: Any, output: Any, indices: Any, *where: Any) -> None:
        first, count, adds = where if len(where) == 3 else (*where, True)
        groups = _groups(inputs, indices) if adds else None
        if groups is None:
            original(inputs, weights, output, indices, *where)
            return
        columns = slice(first, first + count)
        for slot, rows in groups:
            output[rows, columns] += _times(inputs[rows], weights[slot], output)

    return expand_slice


def _groups(inputs: Any, indices: Any) -> list[tuple[int, Any]] | None:
    """Each adapter's slot with its tokens; None where vLLM's own operation is as quick."""
    import torch

    if len(indices) < FEW or len(inputs) != len(indices) or torch.compiler.is_compiling():
        return None
    slots = torch.unique(indices).tolist()
    if len(indices) < _EACH * len(slots):
        return None
    return [(slot, (indices == slot).nonzero().squeeze(1)) for slot in slots if slot >= 0]


def _times(rows: Any, matrix: Any, like: Any) -> Any:
    """``rows`` · ``matrix``ᵀ in the type of ``like``, as vLLM computes it."""
    return rows.to(like.dtype) @ matrix.reshape(matrix.shape[-2:]).to(like.dtype).T
