"""A frozen linear layer with its adapter, x Wᵀ + bias + s (x Aᵀ) Bᵀ, in few passes over memory.

PEFT's layers write x Aᵀ Bᵀ, that times s, and the sum each to memory of their own, and as much on the way
back; with a small rank that takes longer than the products. Here the adapter's product adds to the layer's as
it is made, both ways, and s is taken in on the way. So fewer numbers are rounded to bfloat16 than by PEFT's.

Used under autocast alone: in float32 PEFT's order of operations stands, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear


class _Adapted(torch.autograd.Function):
    """The sum; x is (..., in), A (rank, in), B (out, rank), both float32; ``layer`` is the base's, and s."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, layer: tuple[Any, float]) -> Tensor:
        base, scale = layer
        rows, a, b = x.reshape(-1, x.shape[-1]), (a * scale).to(x.dtype), b.to(x.dtype)
        narrow = rows @ a.T  # (N, rank)
        y = linear(rows, _weight(base, x.dtype), None if base.bias is None else base.bias.to(x.dtype))
        y.addmm_(narrow, b.T)
        ctx.save_for_backward(rows, narrow, a, b)
        ctx.base, ctx.scale, ctx.shape = base, scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, narrow, a, b = ctx.saved_tensors
        dy = gradients[0].reshape(-1, gradients[0].shape[-1])
        d_narrow = dy @ b
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (dy @ _weight(ctx.base, dy.dtype)).addmm_(d_narrow, a).view(ctx.shape)
        return dx, _wide(d_narrow.T, rows).mul_(ctx.scale), _wide(dy.T, narrow), None


def _wide(one: Tensor, other: Tensor) -> Tensor:
    """The product in float32, as it is summed up; a CPU has rounded it before."""
    if one.is_cuda:
        return torch.mm(one, other, out_dtype=torch.float32)
    return (one @ other).float()


def use(model: Any) -> Any:
    """``model`` with this product in its LoRA layers, for whichever adapter is on.

    Adapters with more than A and B keep PEFT's, as DoRA's do. One that is held as a reference takes this
    product too, so that while nothing is learned yet it says what the adapter that learns does, to the bit.
    """
    for layer in model.modules():
        base = layer.get_base_layer() if hasattr(layer, "lora_A") else None
        if isinstance(base, torch.nn.Linear) and not any(own.requires_grad for own in base.parameters()):
            layer.forward = partial(_forward, layer, layer.forward)
    return model


def _forward(layer: Any, ordinary: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    on = [] if layer.disable_adapters or layer.merged else layer.active_adapters
    multiplied = torch.is_autocast_enabled(x.device.type) and not args and not kwargs
    if len(on) != 1 or not multiplied or not _is_plain(layer, on[0]):
        return ordinary(x, *args, **kwargs)
    x = x.to(torch.get_autocast_dtype(x.device.type))
    a, b = layer.lora_A[on[0]].weight, layer.lora_B[on[0]].weight
    frozen = layer.get_base_layer(), layer.scaling[on[0]]
    adapted: Tensor = _Adapted.apply(x, a, b, frozen)  # type: ignore[no-untyped-call]
    return adapted


def _is_plain(layer: Any, name: str) -> bool:
    """Whether the adapter ``name`` of ``layer`` is two matrices and nothing more."""
    return (
        name in layer.lora_A
        and name not in layer.lora_variant
        and layer.lora_B[name].bias is None
        and isinstance(layer.lora_dropout[name], torch.nn.Identity)
    )


def _weight(base: Any, dtype: torch.dtype) -> Tensor:
    """The weight of a linear layer, of four bits or more."""
    weight: Tensor = base.weight
    if (state := getattr(weight, "quant_state", None)) is not None:
        from bitsandbytes.functional import dequantize_4bit

        state.dtype = dtype  # else it would be float32 first
        weight = dequantize_4bit(weight.data, state)
    return weight.to(dtype)
