"""A model in torch → a copy in 8 bits, that :mod:`router.encoding.export` writes as ONNX Runtime's operators.

Of linear layers, weights are rounded by column once and activations by tensor as they come (ONNX Runtime's
``DynamicQuantizeMatMul``); of large embeddings, each row. Where a few channels of what a layer reads are
larger than the others, whatever the text, they would leave those too few steps: there each channel is divided
by the root of its largest value first, and its weights are multiplied by it (after SmoothQuant,
arXiv:2211.10438, which looks at the weights as well). What rounded weights do to the mean of what a layer
reads is taken off its bias.

Processors without VNNI add two neighbouring products in 16 bits, and cut off what is more: weights are
rounded so that no two can be, and every processor gets the same sums.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from router.encoding.depths import ORDINARY

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_MICROSOFT = "com.microsoft"
_MANY_ROWS = 1_000  # of an embedding, from which it is worth rounding
_STANDS_OUT = 3.0  # times the median of the channels' largest values, for the largest of all
_LEAST = 1e-3  # of the largest value of any channel: what is less in one counts as this
_SMALLEST = 1e-12  # so that no scale is zero
_MOST = 127  # for a weight, and for two neighbours: 255 times 128, one more by rounding, fits in 16 bits


def rounded(model: SentenceTransformer) -> SentenceTransformer:
    """A copy of ``model`` with every linear layer that it uses and every large embedding in 8 bits."""
    copied = copy.deepcopy(model).float()
    seen = _seen(copied)
    for parent in list(copied.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and child in seen:
                setattr(parent, name, _Linear8(child, seen[child]))
            elif type(child) is torch.nn.Embedding and child.num_embeddings >= _MANY_ROWS:
                setattr(parent, name, _Embedding8(child))
    return copied.requires_grad_(False)


class _Seen:
    """Of each channel that a layer reads: the largest value, sign aside, and the mean; both ``(in,)``."""

    def __init__(self) -> None:
        self.largest, self.sum, self.rows = torch.zeros(()), torch.zeros(()), 0

    def add(self, inputs: torch.Tensor) -> None:
        rows = inputs.reshape(-1, inputs.shape[-1])
        self.largest = torch.maximum(self.largest, rows.abs().amax(dim=0))
        self.sum = self.sum + rows.sum(dim=0)
        self.rows += len(rows)

    @property
    def mean(self) -> torch.Tensor:
        return self.sum / self.rows


def _seen(model: SentenceTransformer) -> dict[torch.nn.Linear, _Seen]:
    """What each linear layer that is used reads of ordinary texts."""
    found: dict[torch.nn.Linear, _Seen] = {}

    def see(layer: torch.nn.Linear, inputs: tuple[torch.Tensor, ...]) -> None:
        found.setdefault(layer, _Seen()).add(inputs[0])

    layers = [layer for layer in model.modules() if type(layer) is torch.nn.Linear]
    hooks = [layer.register_forward_pre_hook(see) for layer in layers]
    for text in ORDINARY:
        model.encode(text, show_progress_bar=False)
    for hook in hooks:
        hook.remove()
    return found


class _Embedding8(torch.nn.Module):
    """Rows of 8 bits, each with a scale of its own: a quarter of the memory, which is most of what a small
    encoder takes.
    """

    rows: torch.Tensor  # (V, H)
    scale: torch.Tensor  # (V, 1)

    def __init__(self, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        rows = embedding.weight.detach().float()  # (V, H)
        scale = (rows.abs().amax(dim=1, keepdim=True) / 127).clamp_min(_SMALLEST)
        self.register_buffer("rows", (rows / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.rows[ids].float() * self.scale[ids]
        return found


class _Linear8(torch.nn.Module):
    """A linear layer with weights of 8 bits; ``seen`` is what it reads."""

    factor: torch.Tensor | None  # (in,) of the inputs, where a channel stands out
    weights: torch.Tensor  # (in, out)
    scale: torch.Tensor  # (out,)

    def __init__(self, linear: torch.nn.Linear, seen: _Seen) -> None:
        super().__init__()
        weights, mean = linear.weight.detach().float().t().contiguous(), seen.mean  # (in, out), (in,)
        self.register_buffer("factor", None)
        if seen.largest.max() > _STANDS_OUT * seen.largest.median():
            divisor = seen.largest.clamp_min(_LEAST * float(seen.largest.max())).sqrt()
            self.register_buffer("factor", 1 / divisor)
            weights, mean = weights * divisor[:, None], mean / divisor
        scale = (_largest_of_two(weights) / _MOST).clamp_min(_SMALLEST)
        steps = (weights / scale).round()
        bias = torch.zeros(len(scale)) if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("weights", steps.to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias + mean @ (weights - steps * scale))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        scaled = inputs if self.factor is None else inputs * self.factor
        product: torch.Tensor = _Product8.apply(scaled, self.weights, self.scale, self.bias)  # type: ignore[no-untyped-call]
        return product


def _largest_of_two(weights: torch.Tensor) -> torch.Tensor:
    """``(out,)``: the largest of ``weights`` ``(in, out)`` and of the sums of rows 0 and 1, 2 and 3, ..."""
    even = torch.nn.functional.pad(weights, (0, 0, 0, len(weights) % 2))
    sums = even[0::2] + even[1::2]
    return torch.maximum(weights.abs().amax(dim=0), sums.abs().amax(dim=0))


class _Product8(torch.autograd.Function):
    """``inputs · (weights · scale) + bias``; in the graph one operator that rounds the inputs as well."""

    @staticmethod
    def forward(_: Any, inputs: Any, weights: Any, scale: Any, bias: Any) -> Any:
        return inputs @ (weights.float() * scale) + bias

    @staticmethod
    def symbolic(graph: Any, inputs: Any, weights: Any, scale: Any, bias: Any) -> Any:
        zero = graph.op("Constant", value_t=torch.tensor(0, dtype=torch.int8))  # of the weights
        found = graph.op(f"{_MICROSOFT}::DynamicQuantizeMatMul", inputs, weights, scale, zero, bias)
        kind = inputs.type()
        return found.setType(kind.with_sizes([*[None] * ((kind.dim() or 3) - 1), bias.type().sizes()[0]]))
