"""A sentence-transformers model → an ONNX graph for one text at a time, on demand in 8 bits.

One text has no padding, so masks fall away. What an export is worth is checked by whoever runs it: see
:mod:`router.encoding.session`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from router.encoding.rounding import rounded as in_8_bits
from router.encoding.session import KEY

if TYPE_CHECKING:
    import onnx
    from sentence_transformers import SentenceTransformer

OPSET = 17
VECTOR = "vector"  # name of the output, (1, H)
_ATTENTION = "aten::scaled_dot_product_attention"
_MICROSOFT = "com.microsoft"
_MOVES = {"Reshape", "Transpose"}  # of the heads, which ONNX Runtime's attention does by itself


def export(
    model: SentenceTransformer, features: Sequence[str], tokens: torch.Tensor, *, rounded: bool, about: str
) -> bytes:
    """The graph of ``model`` with inputs ``features`` ``(1, T)``, traced on the ids ``tokens`` ``(1, T)``.

    ``rounded`` is in 8 bits, and gives vectors of length 1; else they are the model's own. ``about`` goes
    into the file's metadata.

    Raises whatever torch's exporter does where it can't.
    """
    import onnx

    whole = _Whole(in_8_bits(model) if rounded else model, features, unit=rounded).eval()
    given = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    inputs = tuple(given.get(name, torch.zeros_like(tokens)) for name in features)
    written = io.BytesIO()
    with _own_attention(whole), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every branch on a shape
        torch.onnx.export(
            whole,
            inputs,
            written,  # type: ignore[arg-type]  # its signature forgets open files
            input_names=list(features),
            output_names=[VECTOR],
            dynamic_axes={name: {1: "tokens"} for name in features},
            opset_version=OPSET,
            custom_opsets={_MICROSOFT: 1},
            dynamo=False,  # the newer exporter keeps no operator of ONNX Runtime's own
        )
    graph = onnx.load_model_from_string(written.getvalue())
    _drop_moves(graph.graph)
    _drop_unused(graph.graph)
    onnx.helper.set_model_props(graph, {KEY: about})
    content: bytes = graph.SerializeToString()
    return content


class _Whole(torch.nn.Module):
    """Inputs by place → the vector."""

    def __init__(self, model: torch.nn.Module, features: Sequence[str], *, unit: bool) -> None:
        super().__init__()
        self.model = model
        self.features = tuple(features)
        self.unit = unit  # whether it is brought to length 1

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        vector: torch.Tensor = self.model(dict(zip(self.features, inputs, strict=True)))["sentence_embedding"]
        return torch.nn.functional.normalize(vector, dim=-1) if self.unit else vector


@contextmanager
def _own_attention(model: torch.nn.Module) -> Iterator[None]:
    """While exporting, torch's attention becomes ONNX Runtime's one operator for it, without a mask."""
    configs: Iterator[Any] = (getattr(module, "config", None) for module in model.modules())
    heads = next(
        (config.num_attention_heads for config in configs if hasattr(config, "num_attention_heads")), 0
    )

    def attention(graph: Any, query: Any, key: Any, value: Any, *rest: Any) -> Any:
        def joined(heads_apart: Any) -> Any:  # (1, heads, T, size) → (1, T, heads · size)
            moved = graph.op("Transpose", heads_apart, perm_i=[0, 2, 1, 3])
            return graph.op("Reshape", moved, graph.op("Constant", value_t=torch.tensor([0, 0, -1])))

        found = graph.op(
            f"{_MICROSOFT}::MultiHeadAttention", *map(joined, (query, key, value)), num_heads_i=heads
        )
        apart = graph.op("Reshape", found, graph.op("Constant", value_t=torch.tensor([0, 0, heads, -1])))
        return graph.op("Transpose", apart, perm_i=[0, 2, 1, 3])

    if not heads:
        yield
        return
    torch.onnx.utils.register_custom_op_symbolic(_ATTENTION, attention, OPSET)
    try:
        yield
    finally:
        torch.onnx.utils.unregister_custom_op_symbolic(_ATTENTION, OPSET)


def _drop_moves(graph: onnx.GraphProto) -> None:
    """Past an attention and before it, the heads are moved apart and together again: connect the ends."""
    made = {name: node for node in graph.node for name in node.output}
    used: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            used.setdefault(name, []).append(node)
    for attention in [node for node in graph.node if node.op_type == "MultiHeadAttention"]:
        for place, name in enumerate(attention.input):
            start = name
            while start in made and made[start].op_type in _MOVES:
                start = made[start].input[0]
            attention.input[place] = start
        end = attention.output[0]
        while len(used.get(end, ())) == 1 and used[end][0].op_type in _MOVES:
            end = used[end][0].output[0]
        for user in used.get(end, ()):
            places = [place for place, name in enumerate(user.input) if name == end]
            for place in places:
                user.input[place] = attention.output[0]


def _drop_unused(graph: onnx.GraphProto) -> None:
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
    for given in [given for given in graph.input if given.name not in needed]:
        graph.input.remove(given)
