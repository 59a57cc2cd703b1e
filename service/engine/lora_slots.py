"""A plugin that vLLM loads in each of its processes: an adapter comes into its slot on the GPU at one go.

Where more adapters are asked for than run at once, vLLM copies one into a slot every few steps, while all
others wait: for each matrix of each layer it clears the slot and copies what is new, some 800 operations that
each cost more to start than to run. Here they are collected, and given to the GPU as two: clear, copy. What
lies in the slot afterwards is the same to the bit. Layers that do more than copy (split over GPUs, experts,
embeddings) are left to vLLM.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Activate = Callable[[Any, int], bool]


def register() -> None:
    """Have adapters activated so on GPUs; any number of times."""
    from vllm.platforms import current_platform

    if not current_platform.is_cuda_alike():
        return
    from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA
    from vllm.lora.layers.column_parallel_linear import MergedColumnParallelLinearWithLoRA
    from vllm.lora.model_manager import LoRAModelManager

    if getattr(LoRAModelManager.activate_adapter, "at_one_go", False):
        return
    copying = (BaseLinearLayerWithLoRA.set_lora, MergedColumnParallelLinearWithLoRA.set_lora)
    LoRAModelManager.activate_adapter = at_one_go(LoRAModelManager.activate_adapter, copying)


def at_one_go(activate: Activate, copying: tuple[Callable[..., None], ...]) -> Activate:
    """``activate`` with the copies of layers whose ``set_lora`` is one of ``copying`` made together."""

    def activated(manager: Any, lora_id: int) -> bool:
        moves = Moves()
        modules: Mapping[str, Any] = manager.modules
        manager.modules = {
            name: Collected(module, moves) if _only_copies(module, copying) else module
            for name, module in modules.items()
        }
        try:
            done = activate(manager, lora_id)
        finally:
            manager.modules = modules
        moves.make()
        return done

    activated.at_one_go = True  # type: ignore[attr-defined]
    return activated


class Moves:
    """What is to be cleared, and then what is to be copied where."""

    def __init__(self) -> None:
        self.clear: list[Any] = []
        self.into: list[Any] = []
        self.new: list[Any] = []

    def make(self) -> None:
        """Do it."""
        import torch

        if self.clear:
            torch._foreach_zero_(self.clear)
        if self.into:
            torch._foreach_copy_(self.into, self.new, non_blocking=True)


class Collected:
    """Stands for a layer while an adapter is activated: remembers what the layer would do at once."""

    def __init__(self, module: Any, moves: Moves) -> None:
        self._module = module
        self._moves = moves

    def reset_lora(self, index: int) -> None:
        """The slot ``index`` is to be empty."""
        for stacked in (*self._module.lora_a_stacked, *self._module.lora_b_stacked):
            self._moves.clear.append(stacked[index])

    def set_lora(self, index: int, lora_a: Any, lora_b: Any) -> None:
        """The slot ``index`` is to hold A (r, in) and B (out, r), one of each or one for each slice."""
        if not isinstance(lora_a, list):
            lora_a, lora_b = [lora_a], [lora_b]
        if not len(lora_a) == len(lora_b) == len(self._module.lora_a_stacked):
            self._module.set_lora(index, lora_a, lora_b)  # groups that the layer splits by itself
            return
        sides = ((self._module.lora_a_stacked, lora_a), (self._module.lora_b_stacked, lora_b))
        for stacked, given in sides:
            for whole, new in zip(stacked, given, strict=True):
                self._move(whole[index, 0], new)

    def _move(self, slot: Any, new: Any) -> None:
        if new is None or new.shape != slot.shape:
            self._moves.clear.append(slot)
        if new is not None:
            self._moves.into.append(slot if new.shape == slot.shape else slot[: new.shape[0], : new.shape[1]])
            self._moves.new.append(new)


def _only_copies(module: Any, copying: tuple[Callable[..., None], ...]) -> bool:
    """Whether nothing but ``set_lora`` and ``reset_lora`` is asked of it, and both only copy."""
    kind = type(module)
    copies = getattr(kind, "set_lora", None) in copying and getattr(module, "tp_size", 0) == 1
    return copies and not hasattr(kind, "set_module_to_save")
