"""A plugin for each process of vLLM: an adapter's file is read whole, into memory that is reserved before.

vLLM maps the file, and takes each of its matrices by itself: it reads it, makes it of the engine's type and
copies it to memory that the card may read from. All who are being answered wait meanwhile. Here many matrices
are read and made of that type at once, into blocks of which vLLM gets the parts, with which nothing is left
to do.

Memory that the card reads from (pinned) is made by the card's driver, which lets nobody use the card
meanwhile, 40 ms for an adapter of 49 MB. So blocks for all adapters that are kept are made before the first
request, and PyTorch, which keeps what is given back, hands them out again.

A tensor that safetensors 0.8 takes from a mapped file also leaves two numbers of Python's behind for ever,
8 KiB for each load of the demo's adapters, which adds up where versions come and go. And a mapped file shows
what is written over it later.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, KeysView, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from pointsman.memory import available_memory

log = logging.getLogger("vllm.pointsman")  # shown as vLLM's own lines are

BLOCK = 8 * 2**20  # bytes of one piece of pinned memory; a power of two, as PyTorch rounds up to one
_SHARE = 0.25  # of the free memory that all workers reserve at most

_wanted: ContextVar[Any] = ContextVar("type that the engine computes in", default=None)


def register() -> None:
    """Have vLLM read adapters by :class:`ReadWhole`; any number of times."""
    from vllm.lora import lora_model, worker_manager

    model: Any = lora_model.LoRAModel
    if getattr(model, "is_read_whole", False):
        return

    def opened(path: str, framework: str) -> ReadWhole:
        return ReadWhole(path, framework, pinned=lora_model.PIN_MEMORY)

    lora_model.safetensors = SimpleNamespace(safe_open=opened)
    model.from_local_checkpoint = classmethod(reading(model.from_local_checkpoint.__func__))
    model.is_read_whole = True
    if lora_model.PIN_MEMORY:
        worker: Any = worker_manager.LRUCacheWorkerLoRAManager
        worker.create_lora_manager = reserving(worker.create_lora_manager)


def reserving(create: Callable[..., Any]) -> Callable[..., Any]:
    """vLLM's ``create`` of a worker's adapters, after which there is pinned memory for all it may keep."""

    def created(worker: Any, model: Any, vllm_config: Any) -> Any:
        model = create(worker, model, vllm_config)
        kept, workers = worker._adapter_manager, vllm_config.parallel_config.world_size
        most = int(_SHARE * available_memory() / workers)
        wanted = (kept.capacity + 1) * blocks_of(kept.modules)  # one is read before another goes
        began = time.perf_counter()
        made = _reserve(min(wanted, most // BLOCK))
        seconds = time.perf_counter() - began
        log.info(
            "reserved %.1f of %.1f GB for adapters in %.1f s",
            made * BLOCK / 1e9,
            wanted * BLOCK / 1e9,
            seconds,
        )
        return model

    return created


def blocks_of(modules: Mapping[str, Any]) -> int:
    """How many blocks an adapter of the largest rank takes; ``modules``: vLLM's layers, by name.

    Matrices that are larger than a block are left out: they get memory of their own when they come.
    """
    stacked = [
        one
        for module in modules.values()
        for side in ("lora_a_stacked", "lora_b_stacked")
        for one in _listed(getattr(module, side, ()))
    ]
    sizes = [one[0].numel() * one.element_size() for one in stacked]
    return len(list(together({str(n): size for n, size in enumerate(sizes) if size <= BLOCK}, BLOCK)))


def _listed(one: Any) -> tuple[Any, ...]:
    return tuple(one) if isinstance(one, tuple | list) else (one,)


def _reserve(count: int) -> int:
    """Make so many blocks, or as many as there is memory for; how many."""
    import torch

    made = []
    try:
        for _ in range(count):
            made.append(torch.empty(BLOCK, dtype=torch.uint8, pin_memory=True))
    except RuntimeError as exc:  # PyTorch's for memory that can't be had, too
        log.warning("no more memory can be pinned: %s", str(exc).splitlines()[0])
    return len(made)  # and PyTorch keeps them


def reading(load: Callable[..., Any]) -> Callable[..., Any]:
    """vLLM's ``load``, whose ``dtype`` the file that it opens is read in."""

    def loaded(kind: type, *more: Any, dtype: Any = None, **named: Any) -> Any:
        with read_as(dtype):
            return load(kind, *more, dtype=dtype, **named)

    return loaded


@contextmanager
def read_as(dtype: Any) -> Iterator[None]:
    """Files that are opened inside give tensors of ``dtype``; None: of their own."""
    before = _wanted.set(dtype)
    try:
        yield
    finally:
        _wanted.reset(before)


class ReadWhole:
    """What vLLM needs of ``safetensors.safe_open``."""

    def __init__(self, path: str, framework: str, pinned: bool = False) -> None:
        """``pinned``: into memory that the card may read from.

        Raises:
            ValueError: tensors of another framework are wanted, or there are some of a strange type.
            safetensors.SafetensorError: it is no file of that form, or is cut off.
        """
        if framework != "pt":
            raise ValueError(f"tensors of torch are read, not of {framework!r}")
        self._tensors = _parts(Path(path), _wanted.get(), pinned)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tensors = {}

    def keys(self) -> KeysView[str]:
        """The names of the tensors."""
        return self._tensors.keys()

    def get_tensor(self, name: str) -> Any:
        """One of them."""
        return self._tensors[name]


def _parts(path: Path, wanted: Any, pinned: bool) -> dict[str, Any]:
    """The tensors of a file by name, as parts of blocks that hold what follows the header."""
    import numpy as np
    import torch
    from safetensors import safe_open

    types = {
        **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
        **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8},
        **{"U8": torch.uint8, "BOOL": torch.bool},
    }
    with safe_open(path, framework="np") as file:  # the header, and how long the file is
        slices = {name: file.get_slice(name) for name in file.offset_keys()}
        found = {name: (one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()}
    if strange := [f"{name} ({dtype})" for name, (dtype, _) in found.items() if dtype not in types]:
        raise ValueError(f"{path.name}: tensors of types that are not read: {', '.join(strange[:3])}")
    lengths = {name: types[dtype].itemsize * math.prod(shape) for name, (dtype, shape) in found.items()}
    total = sum(lengths.values())
    if not total:
        return {name: torch.empty(shape, dtype=types[dtype]) for name, (dtype, shape) in found.items()}
    # tensors follow each other without gaps, up to the end; mapped so that nothing is written to the file
    numbers = torch.from_numpy(np.memmap(path, np.uint8, "c", path.stat().st_size - total))
    kinds = {types[dtype] for dtype, _ in found.values()}
    if own := wanted is None or len(kinds) > 1 or not next(iter(kinds)).is_floating_point:
        target = torch.uint8
    else:
        numbers, target = numbers.view(kind := kinds.pop()), wanted
        lengths = {name: length // kind.itemsize for name, length in lengths.items()}
    tensors, at, most = {}, 0, BLOCK // target.itemsize
    for names in together(lengths, most):
        count = sum(lengths[name] for name in names)
        block = torch.empty(max(count, most) if pinned else count, dtype=target, pin_memory=pinned)
        block[:count].copy_(numbers[at : at + count])
        at, begin = at + count, 0
        for name in names:
            dtype, shape = found[name]
            part = block[begin : begin + lengths[name]]
            if own:
                part = (part if begin % types[dtype].itemsize == 0 else part.clone()).view(types[dtype])
            tensors[name] = part.view(shape)
            begin += lengths[name]
    return tensors


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
