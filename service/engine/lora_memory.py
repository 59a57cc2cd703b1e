"""The pinned memory that adapters are read into, made before the first request.

Memory that the card reads from (pinned) is made by the card's driver, which lets nobody use the card
meanwhile, 40 ms for an adapter of 49 MB. So pieces for all adapters that are kept are made when vLLM makes
its slots, and PyTorch, which keeps what is given back, hands them out again. It makes each as long as a power
of two, and hands it out for what would be rounded to the same.

Counted are linear layers, at the largest rank. What an adapter has for others, such as a mixture's experts,
whose slots vLLM lays out in other ways, and an adapter of another form than that gets memory when it comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pointsman.memory import available_memory

log = logging.getLogger("vllm.pointsman")  # shown as vLLM's own lines are

BLOCK = 8 * 2**20  # bytes of a piece of pinned memory at most
_SHARE = 0.25  # of the free memory that all workers reserve at most


def reserve_at_start() -> None:
    """Have each worker of vLLM reserve memory when it makes its manager of adapters."""
    from vllm.lora.worker_manager import LRUCacheWorkerLoRAManager

    worker: Any = LRUCacheWorkerLoRAManager
    worker.create_lora_manager = reserving(worker.create_lora_manager)


def reserving(create: Callable[..., Any]) -> Callable[..., Any]:
    """vLLM's ``create`` of a worker's adapters, after which there is pinned memory for all it may keep."""

    def created(worker: Any, model: Any, vllm_config: Any) -> Any:
        model = create(worker, model, vllm_config)
        kept, parallel = worker._adapter_manager, vllm_config.parallel_config
        workers = parallel.world_size * max(1, parallel.data_parallel_size_local)  # that begin now, here
        most = int(_SHARE * available_memory() / workers)
        pieces = pieces_of(kept.modules, parallel.pipeline_parallel_size)
        wanted = pieces * (kept.capacity + 1)  # one is read before another goes
        began = time.perf_counter()
        made = _reserve(wanted, most)
        seconds = time.perf_counter() - began
        log.info("reserved %.1f of %.1f GB for adapters in %.1f s", made / 1e9, sum(wanted) / 1e9, seconds)
        return model

    return created


def pieces_of(modules: Mapping[str, Any], stages: int = 1) -> list[int]:
    """Bytes of each piece that an adapter of the largest rank takes, as PyTorch rounds them.

    ``modules`` are vLLM's layers by name. Those of a stage of a pipeline are counted ``stages`` times, as
    each worker reads the whole file. Matrices that are larger than a block are left out.
    """
    from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA

    layers = [module for module in modules.values() if isinstance(module, BaseLinearLayerWithLoRA)]
    matrices = [size for layer in layers for size in _matrices(layer) if size <= BLOCK] * stages
    sizes = {str(n): size for n, size in enumerate(matrices)}
    groups = (sum(sizes[name] for name in names) for names in together(sizes, BLOCK))
    return [1 << (length - 1).bit_length() for length in groups if length]


def _matrices(module: Any) -> Iterator[int]:
    """Bytes of each matrix that a file has for a layer: whole ones, of which several cards keep parts."""
    base = getattr(module, "base_layer", None)
    for one in _listed(getattr(module, "lora_a_stacked", ())):
        yield round(_bytes(one) * max(1, getattr(base, "input_size", 0) / one.shape[-1]))
    here = getattr(base, "output_size_per_partition", None)
    for one in _listed(getattr(module, "lora_b_stacked", ())):
        yield round(_bytes(one) * (base.output_size / here if base and here else 1))


def _bytes(slots: Any) -> int:
    return int(slots[0].numel() * slots.element_size())


def _listed(one: Any) -> tuple[Any, ...]:
    return tuple(one) if isinstance(one, tuple | list) else (one,)


def _reserve(pieces: Sequence[int], most: int) -> int:
    """Make the first of ``pieces`` that are no more than ``most`` together, or as many as there is memory
    for; how many bytes."""
    import torch

    made, total = [], 0
    try:
        for length in pieces:
            if total + length > most:
                break
            made.append(torch.empty(length, dtype=torch.uint8, pin_memory=True))
            total += length
    except RuntimeError as exc:  # PyTorch's for memory that can't be had, too
        log.warning("no more memory can be pinned: %s", str(exc).splitlines()[0])
    return total  # and PyTorch keeps them


def together(lengths: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """Names in their order, in groups of a length of at most ``most``; who is longer is alone."""
    group: list[str] = []
    room = most
    for name, length in lengths.items():
        if group and length > room:
            yield group
            group, room = [], most
        group.append(name)
        room -= length
    if group:
        yield group
