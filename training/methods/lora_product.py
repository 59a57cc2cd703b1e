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

_NAME = "default"  # PEFT's, of the adapter that learns


class _Adapted(torch.autograd.Function):
    """The sum; x is (..., in), A (rank, in), B (out, rank), both float32; ``layer`` is the base's, and s."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, layer: tuple[Any, float]) -> Tensor:
        base, scale = layer
        rows, a, b = x.reshape(-1, x.shape[-1]), a.to(x.dtype), b.to(x.dtype)
        narrow = rows @ a.T  # (N, rank)
        y = linear(rows, _weight(base, x.dtype), None if base.bias is None else base.bias.to(x.dtype))
        y.addmm_(narrow, b.T, alpha=scale)
        ctx.save_for_backward(rows, narrow, a, b)
        ctx.base, ctx.scale, ctx.shape = base, scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, narrow, a, b = ctx.saved_tensors
        dy = gradients[0].reshape(-1, gradients[0].shape[-1])
        d_narrow = (dy @ b).mul_(ctx.scale)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (dy @ _weight(ctx.base, dy.dtype)).addmm_(d_narrow, a).view(ctx.shape)
        return dx, (d_narrow.T @ rows).float(), (dy.T @ narrow).float().mul_(ctx.scale), None


def use(model: Any) -> Any:
    """``model`` with this product in its LoRA layers; those with more than A and B keep PEFT's, as DoRA's."""
    for layer in model.modules():
        if _NAME in getattr(layer, "lora_A", {}) and _is_plain(layer):
            layer.forward = partial(_forward, layer, layer.forward)
    return model


def _forward(layer: Any, ordinary: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    off = layer.disable_adapters or layer.merged or layer.active_adapters != [_NAME]
    if off or args or kwargs or not torch.is_autocast_enabled(x.device.type):
        return ordinary(x, *args, **kwargs)
    x = x.to(torch.get_autocast_dtype(x.device.type))
    a, b = layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight
    frozen = layer.get_base_layer(), layer.scaling[_NAME]
    adapted: Tensor = _Adapted.apply(x, a, b, frozen)  # type: ignore[no-untyped-call]
    return adapted


def _is_plain(layer: Any) -> bool:
    """Whether ``layer``, which has an adapter, is a frozen linear one, and the adapter two matrices."""
    base = layer.get_base_layer()
    return (
        isinstance(base, torch.nn.Linear)
        and not any(weight.requires_grad for weight in base.parameters())
        and _NAME not in layer.lora_variant
        and layer.lora_B[_NAME].bias is None
        and isinstance(layer.lora_dropout[_NAME], torch.nn.Identity)
    )


def _weight(base: Any, dtype: torch.dtype) -> Tensor:
    """The weight of a linear layer, of four bits or more."""
    weight: Tensor = base.weight
    if (state := getattr(weight, "quant_state", None)) is not None:
        from bitsandbytes.functional import dequantize_4bit

        weight = dequantize_4bit(weight.data, state)
    return weight.to(dtype)
