"""A plugin that vLLM loads in each of its processes: corrects LoRA in its CPU build.

There, a request without an adapter has the adapter index -1, and the CPU's LoRA operations take that as
Python does, for the last slot: batched with requests for adapters, the base answers with the weights of
whichever adapter lies there (vLLM #48421, open). Remove this when the pinned vLLM has the fix.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.engine.cpu_rows import expanding, expanding_slice, shrinking

Shrink = Callable[..., None]


def register() -> None:
    """Correct the operations where they are used; any number of times."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.lora.ops import torch_ops
    from vllm.lora.ops.torch_ops import lora_ops
    from vllm.lora.punica_wrapper import punica_cpu

    if getattr(lora_ops.bgmv_shrink, "leaves_base_alone", False):
        return
    corrected = shrinking(leave_base_alone(lora_ops.bgmv_shrink))
    corrected.leaves_base_alone = True  # type: ignore[attr-defined]
    expand, expand_slice = expanding(lora_ops.bgmv_expand), expanding_slice(lora_ops.bgmv_expand_slice)
    for module in (lora_ops, torch_ops, punica_cpu):
        module.bgmv_shrink = corrected
        module.bgmv_expand = expand
        module.bgmv_expand_slice = expand_slice


def leave_base_alone(shrink: Shrink) -> Shrink:
    """``shrink`` (x · A, the first half of every adapter) giving zero for tokens with index -1.

    The second half multiplies by it and adds, so it needs no correction.
    """

    def corrected(
        inputs: Any,  # (T, in)
        weights: Any,  # (slots, 1, r, in)
        output: Any,  # (T, r), written
        indices: Any,  # (T,) slot of each token
        scaling: float = 1.0,
    ) -> None:
        shrink(inputs, weights, output, indices, scaling)
        output.masked_fill_((indices < 0).unsqueeze(1), 0.0)

    return corrected
