"""A plugin that vLLM loads in each of its processes: corrects LoRA under ``--specialize-active-lora``.

With that option vLLM captures a CUDA graph for each of some numbers of adapters, and chooses it by how many
adapters run. Its kernels count requests without an adapter as one more, and that one comes first: where the
base is asked beside one, two, four, eight or sixteen adapters, the last of these is left out, and its
requests get the base's answers. So tokens without an adapter are left out of what the kernels look at. They
had nothing to do for them. Remove this when the pinned vLLM has a correction.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Prepare = Callable[[Any, Any], None]


def register() -> None:
    """Correct what the kernels are told; any number of times."""
    from vllm.platforms import current_platform

    if not current_platform.is_cuda():
        return
    from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

    if not getattr(LoRAKernelMeta.prepare_tensors, "adapters_alone", False):
        LoRAKernelMeta.prepare_tensors = adapters_alone(LoRAKernelMeta.prepare_tensors)


def adapters_alone(prepare: Prepare) -> Prepare:
    """``prepare`` (what each adapter's tokens are) without the entry of tokens that have no adapter."""

    def corrected(meta: Any, mapping: Any) -> None:  # (T,) the slot of each token; -1: none
        prepare(meta, mapping)
        if meta.no_lora_flag_cpu.item():
            return
        first, *slots = meta.active_lora_ids.tolist()  # ascending, and -1 behind them
        if first >= 0:
            return
        # the tokens stay sorted as they were, so the first adapter's begin behind those that are left out
        for kept, rest in ((meta.active_lora_ids, -1), (meta.num_tokens_per_lora, 0)):
            kept[:-1] = kept[1:].clone()
            kept[-1] = rest
        meta.lora_token_start_loc[:-1] = meta.lora_token_start_loc[1:].clone()
        running = sum(slot >= 0 for slot in slots)
        meta.num_active_loras_cpu[0] = min(
            (count for count in meta.captured_lora_counts if count >= running), default=running
        )

    corrected.adapters_alone = True  # type: ignore[attr-defined]
    return corrected
