"""GPTQ's checkpoint form read as vLLM reads it: integers packed into int32, and a scale for each group.

A layer of I inputs and O outputs in b bits with groups of G inputs has ``qweight`` (I·b/32, O), ``scales``
(I/G, O), ``qzeros`` (I/G, O·b/32) and ``g_idx`` (I). vLLM's kernels for symmetric GPTQ look at the first two:
a weight is ``scale × (q - 2^(b-1))``, its group the number of its input over G. So the other two are compared
with that here, and nothing of theirs is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from training.errors import QuantizeError

QWEIGHT = ".qweight"
PARTS = (QWEIGHT, ".qzeros", ".scales", ".g_idx")


def weights(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and value of every weight in the quantised base ``folder``, those of 4 or 8 bits as float32.

    Raises:
        QuantizeError: vLLM would read another weight than GPTQ meant.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["quantization_config"]
    with ExitStack() as opened:
        files = [
            opened.enter_context(safe_open(path, framework="pt"))
            for path in sorted(folder.glob("*.safetensors"))
        ]
        tensors = {name: file for file in files for name in file.keys()}  # noqa: SIM118 (no mapping)
        for name, file in tensors.items():
            if name.endswith(QWEIGHT):
                layer = name.removesuffix(QWEIGHT)
                parts = {part: tensors[layer + part].get_tensor(layer + part) for part in PARTS}
                yield f"{layer}.weight", dense(layer, parts, int(config["bits"]))
            elif not name.endswith(PARTS):
                yield name, file.get_tensor(name)


def dense(layer: str, parts: Mapping[str, Tensor], bits: int) -> Tensor:
    """The weight (O, I) of the linear layer called ``layer``, in float32, from its four ``PARTS``.

    Raises:
        QuantizeError: its zero points or its groups are not those that vLLM takes for granted.
    """
    qweight, qzeros, scales, g_idx = (parts[name] for name in PARTS)
    middle = 1 << (bits - 1)
    whole = unpack(qweight, bits)  # (I, O)
    group = whole.shape[0] // scales.shape[0]
    zeros = unpack(qzeros.T, bits)  # (O, I/G); the form keeps them less one
    if not bool((zeros == middle - 1).all()):
        raise QuantizeError(f"{layer}: has zero points other than {middle}, which vLLM does not look at")
    if not torch.equal(g_idx.long(), torch.arange(whole.shape[0]) // group):
        raise QuantizeError(f"{layer}: its inputs are not in the order of their groups, as vLLM expects")
    return ((whole - middle) * scales.float().repeat_interleave(group, 0)).T.contiguous()


def unpack(packed: Tensor, bits: int) -> Tensor:
    """int32 (N, M) → the 32/bits numbers in each, lowest bits first: (N·32/bits, M), 0 to 2^bits - 1."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int32)
    numbers = (packed[:, None] >> shifts[:, None]) & ((1 << bits) - 1)  # (N, 32/bits, M)
    return numbers.reshape(-1, packed.shape[1])
