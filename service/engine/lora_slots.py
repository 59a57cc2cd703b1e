"""A plugin for each process of vLLM: an adapter's matrices go to their slot in one call.

vLLM has a slot on the card for each adapter that runs. To fill one it zeroes and copies each matrix by
itself, 784 calls for a model of 28 layers, and nobody is answered meanwhile. Here they are noted first and
copied together, and what a matrix fills is not zeroed before.

Where a layer's matrices have to be cut (on several cards, or one matrix for several slices), and in layers
that are not linear, vLLM's own method does it.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


def register() -> None:
    """Have vLLM fill slots by a :class:`Filling`; any number of times."""
    from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA
    from vllm.lora.model_manager import LoRAModelManager

    manager: Any = LoRAModelManager
    if getattr(manager, "fills_at_once", False):
        return
    for kind in _with_subclasses(BaseLinearLayerWithLoRA):
        if "set_lora" in vars(kind):
            kind.set_lora = setting(kind.set_lora)
        if "reset_lora" in vars(kind):
            kind.reset_lora = resetting(kind.reset_lora)
    manager.activate_adapter = filling(manager.activate_adapter)
    manager.fills_at_once = True


class Filling:
    """What one slot is filled with, noted to be done at once."""

    def __init__(self) -> None:
        self._zeroed: list[Any] = []
        self._places: list[Any] = []
        self._matrices: list[Any] = []

    def note(self, place: Any, matrix: Any) -> None:
        """``matrix`` (rows, columns; None: zeros) goes to the beginning of ``place`` (no smaller)."""
        if matrix is None or matrix.shape != place.shape:
            self._zeroed.append(place)
        if matrix is not None:
            rows, columns = matrix.shape
            self._places.append(place if matrix.shape == place.shape else place[:rows, :columns])
            self._matrices.append(matrix)

    def finish(self) -> None:
        """Do what was noted, zeros first."""
        import torch

        if self._zeroed:
            torch._foreach_zero_(self._zeroed)
        if self._places:
            torch._foreach_copy_(self._places, self._matrices, non_blocking=True)


_filling: ContextVar[Filling | None] = ContextVar("the slot that is being filled", default=None)


@contextmanager
def _as(value: Filling | None) -> Iterator[None]:
    before = _filling.set(value)
    try:
        yield
    finally:
        _filling.reset(before)


def filling(activate: Callable[..., bool]) -> Callable[..., bool]:
    """vLLM's ``activate`` of an adapter, with what its layers are given noted and then done."""

    def activated(manager: Any, lora_id: int) -> bool:
        noted = Filling()
        try:
            with _as(noted):
                return activate(manager, lora_id)
        finally:
            noted.finish()

    return activated


def setting(original: Callable[..., None]) -> Callable[..., None]:
    """A layer's ``original`` (``set_lora``), noted if an adapter is activated and nothing is to be cut."""

    def set_lora(layer: Any, index: int, lora_a: Any, lora_b: Any) -> None:
        noted = _filling.get()
        pairs = _listed(lora_a), _listed(lora_b)
        if noted is None or layer.tp_size > 1 or any(len(one) != layer.n_slices for one in pairs):
            with _as(None):  # it calls reset_lora, and its parent's set_lora
                original(layer, index, lora_a, lora_b)
            return
        for place, matrix in zip(_places(layer, index), itertools.chain(*pairs), strict=True):
            noted.note(place, matrix)

    return set_lora


def resetting(original: Callable[..., None]) -> Callable[..., None]:
    """A layer's ``original`` (``reset_lora``), noted if an adapter is activated."""

    def reset_lora(layer: Any, index: int) -> None:
        if (noted := _filling.get()) is None:
            original(layer, index)
            return
        for place in _places(layer, index):
            noted.note(place, None)

    return reset_lora


def _places(layer: Any, index: int) -> list[Any]:
    """Where the matrices of one slot of a layer lie, A's of each slice, then B's; kept with the layer."""
    stacked = (*layer.lora_a_stacked, *layer.lora_b_stacked)
    kept: dict[int, tuple[tuple[Any, ...], list[Any]]] = vars(layer).setdefault("places_of_slots", {})
    if index not in kept or any(one is not other for one, other in zip(kept[index][0], stacked, strict=True)):
        kept[index] = stacked, [slots[index, 0] for slots in stacked]
    return kept[index][1]


def _listed(one: Any) -> Sequence[Any]:
    return one if isinstance(one, list | tuple) else [one]


def _with_subclasses(kind: Any) -> Iterator[Any]:
    yield kind
    for below in kind.__subclasses__():
        yield from _with_subclasses(below)
