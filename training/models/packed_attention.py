"""Attention of packed rows without a mask: PyTorch's FlashAttention for sequences of any length.

A mask that keeps rows apart makes PyTorch take a slower kernel, which reads the mask and multiplies what it
leaves out. This one is told where rows begin. It is for a GPU and 16 bits; whatever else comes, such as rows
that are not packed, a window, or float32, is done by PyTorch's own choice of kernels, with the mask.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor

from training.models import attention

NAME = "packed"  # of this attention among transformers'
_HEAD = 256  # the widest head that the kernel takes
_AMPERE = (8, 0)  # and the oldest architecture


def use(model: Any) -> None:
    """Let ``model`` attend so where its batches say in ``cu_seq_lens_q`` where rows begin.

    One that caps attention's scores stays as it is: neither kernel has a cap.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if attention.caps_scores(model.config):
        return
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def attend(  # noqa: PLR0917 — as transformers calls it
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int = 0,
    **more: Any,
) -> tuple[Tensor, None]:
    """What ``query`` (B, heads, T, D) reads of ``key`` and ``value`` (B, fewer, T, D): (B, T, heads, D).

    Args:
        module, attention_mask, dropout, scaling, more: as transformers gives them to every attention.
        cu_seq_lens_q: where in B × T each row begins, and the end, int32 (rows + 1,).
        max_length_q: the longest row.
    """
    given = [_as_multiplied(tensor) for tensor in (query, key, value)]
    special = dropout or any(more.get(name) is not None for name in ("sliding_window", "s_aux"))
    if cu_seq_lens_q is None or special or not _has_kernel(given[0]):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return found
    rows, heads, length, width = query.shape
    flat = [tensor.transpose(1, 2).reshape(rows * length, -1, width) for tensor in given]
    read = by_row(*flat, bounds=cu_seq_lens_q, longest=max_length_q, scale=scaling)
    return read.view(rows, length, heads, width), None


def by_row(
    query: Tensor, key: Tensor, value: Tensor, *, bounds: Tensor, longest: int, scale: float | None
) -> Tensor:
    """Causal attention of (all tokens, heads, D) within the rows that begin at ``bounds``."""
    from torch.nn.attention.varlen import varlen_attn

    options: dict[str, Any] = {"scale": scale, "window_size": (-1, 0)}
    if "enable_gqa" in signature(varlen_attn).parameters:  # torch 2.11 does it unasked
        options["enable_gqa"] = True
    read = varlen_attn(query, key, value, bounds, bounds, longest, longest, **options)
    assert isinstance(read, Tensor)
    return read


def _as_multiplied(tensor: Tensor) -> Tensor:
    """``tensor`` as autocast gives it to a product."""
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


def _has_kernel(query: Tensor) -> bool:
    narrow = query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] <= _HEAD
    return query.is_cuda and narrow and torch.cuda.get_device_capability(query.device) >= _AMPERE
