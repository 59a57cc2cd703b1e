"""RMS norms of a model in one pass over memory, on a GPU.

transformers writes a norm as six operations, each of which reads and writes all hidden states, most of them
in float32. PyTorch has it as one, which rounds once, to the type that comes in. On a CPU nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm


def use(model: Any) -> None:
    """Let the norms of ``model`` be so, where they are Llama's: x / √(mean(x²) + ε), times the weight."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            module.forward = partial(_norm, module, module.forward)


def _norm(module: Any, ordinary: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
    if not _on_gpu(hidden) or hidden.dtype != module.weight.dtype:
        return ordinary(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        return rms_norm(hidden, module.weight.shape, module.weight, module.variance_epsilon)


def _on_gpu(hidden: Tensor) -> bool:
    return hidden.is_cuda
