"""A plugin that vLLM loads in each of its processes: LoRA by our kernels in its CUDA build.

Three things take the place of vLLM's own: how its kernels are told whose tokens a batch holds
(``lora_batch``), the tensors that hold that, which become parts of one, so that one copy reaches the card,
and the product of an adapter with a layer's input (``lora_kernels``). What a layer multiplies otherwise, as
with shards of a matrix on several cards, stays with vLLM's kernels, which are told the same.

Tokens without an adapter are left out of what the kernels are told. vLLM counts them as one adapter more,
the first: under ``--specialize-active-lora``, where it captures a CUDA graph for each of some numbers of
adapters, the last of 1, 2, 4, 8 or 16 adapters is left out where the base is asked beside them, and its
requests get the base's answers.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from service.engine.lora_batch import Batch, most_tiles

_ALIGNED = 4  # numbers of 32 bits: the kernels read 16 bytes at once where all addresses are multiples of it


def register() -> None:
    """Put our kernels in the place of vLLM's; any number of times."""
    from vllm.platforms import current_platform

    if not current_platform.is_cuda():
        return
    from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta
    from vllm.lora.punica_wrapper.punica_gpu import PunicaWrapperGPU

    if PunicaWrapperGPU.update_metadata is not update_metadata:
        LoRAKernelMeta.make = staticmethod(in_one_piece(LoRAKernelMeta.make))
        PunicaWrapperGPU.update_metadata = update_metadata
        PunicaWrapperGPU.add_lora_linear = multiplying(PunicaWrapperGPU.add_lora_linear)


def in_one_piece(make: Callable[..., Any]) -> Callable[..., Any]:
    """``make`` (what the kernels look at) with its tensors as parts of one, ``pieces``, and tiles as well."""
    import torch

    def made(max_loras: int, max_num_tokens: int, device: Any, *more: Any, **keywords: Any) -> Any:
        meta = make(max_loras, max_num_tokens, device, *more, **keywords)
        places = max_loras + 1
        tiles = most_tiles(max_num_tokens, places)
        lengths = (places, places, places + 1, max_num_tokens, max_num_tokens, tiles * 4)
        begins = np.cumsum([0, *(-(-length // _ALIGNED) * _ALIGNED for length in lengths)]).tolist()
        meta.pieces = torch.zeros(begins[-1], dtype=torch.int32, device=device)
        parts = [meta.pieces[at : at + length] for at, length in zip(begins, lengths, strict=False)]
        meta.active_lora_ids, meta.num_tokens_per_lora, meta.lora_token_start_loc = parts[:3]
        meta.token_lora_mapping, meta.token_indices_sorted_by_lora_ids = parts[3:5]
        meta.tiles = parts[5].view(-1, 4)
        meta.begins = begins
        return meta

    return made


def update_metadata(
    self: Any,
    mapping: Any,  # vLLM's LoRAMapping: the adapter of each token, and of each request; 0: none
    lora_index_to_id: Sequence[int | None],
    max_loras: int,
    vocab_size: int,
    **_: Any,
) -> None:
    """Take the place of ``PunicaWrapperGPU.update_metadata``: nothing waits for the card."""
    self.is_prefill = mapping.is_prefill
    self._update_base_metadata(mapping, lora_index_to_id, max_loras, vocab_size)
    slots = {adapter: slot for slot, adapter in enumerate(lora_index_to_id) if adapter is not None}
    slots[0] = -1
    tell(self.token_mapping_meta, [slots[adapter] for adapter in mapping.index_mapping])
    tell(self.prompt_mapping_meta, [slots[adapter] for adapter in mapping.prompt_mapping])


def tell(meta: Any, owners: Sequence[int]) -> None:
    """Have the kernels that look at ``meta`` know whose the tokens are: the slot of each one, or -1."""
    import torch

    own = np.asarray(owners, dtype=np.int32)
    batch = Batch.of(own)
    running = len(batch.slots)
    captured = meta.captured_lora_counts
    graph = bisect.bisect_left(captured, running)
    meta.no_lora_flag_cpu[0] = running == 0
    meta.num_active_loras_cpu[0] = captured[graph] if running and graph < len(captured) else running
    if not running:
        return
    told = np.zeros(len(meta.pieces), dtype=np.int32)
    slots, counts, starts, owner, tokens, tiles = meta.begins[:-1]
    told[slots:counts] = told[owner:tokens] = told[tiles:] = -1
    for at, part in (
        (slots, batch.slots),
        (counts, batch.counts),
        (starts, batch.starts),
        (owner, own),
        (tokens, batch.tokens),
        (tiles, batch.tiles.reshape(-1)),
    ):
        told[at : at + len(part)] = part
    there = torch.from_numpy(told)
    if meta.pieces.is_cuda:
        there = there.pin_memory()
    meta.pieces.copy_(there, non_blocking=True)


def multiplying(original: Callable[..., None]) -> Callable[..., None]:
    """``original`` (``add_lora_linear``: y += x · Aᵀ · Bᵀ) by our kernels, where they can."""
    from service.engine.lora_kernels import add, fits

    def add_lora_linear(  # noqa: PLR0917 - vLLM's own parameters
        self: Any,
        y: Any,
        x: Any,
        lora_a_stacked: Sequence[Any],
        lora_b_stacked: Sequence[Any],
        scale: float,
        output_slices: Sequence[int],
        *,
        add_inputs: bool = True,
        **more: Any,
    ) -> None:
        if not (add_inputs and fits(lora_a_stacked, lora_b_stacked, output_slices)):
            more["add_inputs"] = add_inputs
            original(self, y, x, lora_a_stacked, lora_b_stacked, scale, output_slices, **more)
            return
        meta = self.token_mapping_meta
        by_graph = self.lora_config.specialize_active_lora
        add(
            y.view(-1, y.shape[-1]),
            x.view(-1, x.shape[-1]),
            list(lora_a_stacked),
            list(lora_b_stacked),
            meta.tiles,
            meta.token_indices_sorted_by_lora_ids,
            meta.no_lora_flag_cpu,
            meta.num_active_loras_cpu if by_graph else meta.default_num_active_loras_cpu,
            scale,
        )

    return add_lora_linear
