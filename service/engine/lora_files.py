"""A plugin for each process of vLLM: an adapter's file is read whole, into memory that is reserved before.

vLLM maps the file, and takes each of its matrices by itself: it reads it, makes it of the engine's type and
copies it to memory that the card may read from. All who are being answered wait meanwhile. Here many matrices
are read and made of that type at once, into blocks of which vLLM gets the parts, with which nothing is left
to do.

Each operation on a tensor lets go of Python's lock and takes it again. Where the file is read in a thread
(``lora_ahead``), the engine's loop and the thread hand the lock to each other at every one of them, which
takes both longer than what they do. So there are a few for a block here, and none for a matrix.

The blocks are pinned, so that the card may read from them; ``lora_memory`` has them made before the first
request.

A tensor that safetensors 0.8 takes from a mapped file also leaves two numbers of Python's behind for ever,
8 KiB for each load of the demo's adapters, which adds up where versions come and go. And a mapped file shows
what is written over it later.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, KeysView, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from service.engine.lora_memory import BLOCK, reserve_at_start, together

_wanted: ContextVar[Any] = ContextVar("type that the engine computes in", default=None)


def register() -> None:
    """Have vLLM read adapters by :class:`ReadWhole`; any number of times."""
    from vllm.lora import lora_model

    model: Any = lora_model.LoRAModel
    if getattr(model, "is_read_whole", False):
        return

    def opened(path: str, framework: str) -> ReadWhole:
        return ReadWhole(path, framework, pinned=pinned)

    lora_model.safetensors = SimpleNamespace(safe_open=opened)
    pinned = lora_model.PIN_MEMORY
    model.from_local_checkpoint = classmethod(reading(model.from_local_checkpoint.__func__))
    model.from_lora_tensors = classmethod(handing(model.from_lora_tensors.__func__))
    model.is_read_whole = True
    if pinned:
        lora_model.PIN_MEMORY = False  # it pins what it reads; here that is done
        reserve_at_start()


def reading(load: Callable[..., Any]) -> Callable[..., Any]:
    """vLLM's ``load``, whose ``dtype`` the file that it opens is read in."""

    def loaded(kind: type, *more: Any, dtype: Any = None, **named: Any) -> Any:
        with read_as(dtype):
            return load(kind, *more, dtype=dtype, **named)

    return loaded


def handing(make: Callable[..., Any]) -> Callable[..., Any]:
    """vLLM's ``make`` of an adapter from its tensors by name, which converts none that is as it should be."""

    def made(kind: type, *more: Any, tensors: Mapping[str, Any], **named: Any) -> Any:
        return make(kind, *more, tensors={name: AtHand(one) for name, one in tensors.items()}, **named)

    return made


class AtHand:
    """What vLLM asks of a tensor before it keeps it, without an operation on the tensor if none is needed."""

    __slots__ = ("_tensor",)

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns."""
        return tuple(self._tensor.shape)

    def to(self, device: Any, dtype: Any = None) -> Any:
        """The tensor, on ``device`` and of ``dtype`` (None: its own)."""
        if self._tensor.device.type == str(device) and dtype in (None, self._tensor.dtype):
            return self._tensor
        return self._tensor.to(device=device, dtype=dtype)


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
    unflatten: Any = torch._utils._unflatten_dense_tensors  # one call for all views
    tensors: dict[str, Any] = {}
    at, most = 0, BLOCK // target.itemsize
    for names in together(lengths, most):
        count = sum(lengths[name] for name in names)
        block = torch.empty(count, dtype=target, pin_memory=pinned)
        block.copy_(numbers[at : at + count])
        at += count
        if not own:
            parts = unflatten(block, [_form(found[name][1]) for name in names])
        else:
            pieces = torch.split(block, [lengths[name] for name in names])
            parts = [
                _as(piece, types[found[name][0]], found[name][1])
                for name, piece in zip(names, pieces, strict=True)
            ]
        tensors |= zip(names, parts, strict=True)
    return tensors


@lru_cache(maxsize=1024)
def _form(shape: tuple[int, ...]) -> Any:
    """A tensor of that shape without numbers."""
    import torch

    return torch.empty((), device="meta").expand(shape)


def _as(piece: Any, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Bytes as a tensor of that type and shape; a view if they lie where such numbers may."""
    if piece.storage_offset() % dtype.itemsize:
        piece = piece.clone()
    return piece.view(dtype).view(shape)
