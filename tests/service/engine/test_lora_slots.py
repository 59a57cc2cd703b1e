"""What lies in an adapter's slot after it was filled at one go, beside what vLLM's layers put there."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
import torch

from service.engine.lora_slots import at_one_go

RANK, INTO = 4, 5


class Layer:
    """As vLLM's: a slot is cleared, then each given matrix is copied into its corner."""

    def __init__(self, outs: tuple[int, ...]) -> None:
        self.tp_size = 1
        self.asked: list[str] = []
        self.lora_a_stacked = tuple(torch.full((3, 1, RANK, INTO), 9.0) for _ in outs)
        self.lora_b_stacked = tuple(torch.full((3, 1, out, RANK), 9.0) for out in outs)

    def reset_lora(self, index: int) -> None:
        self.asked.append("reset")
        for stacked in (*self.lora_a_stacked, *self.lora_b_stacked):
            stacked[index] = 0

    def set_lora(self, index: int, lora_a: Any, lora_b: Any) -> None:
        self.reset_lora(index)
        self.asked.append("set")
        if not isinstance(lora_a, list):
            lora_a, lora_b = [lora_a], [lora_b]
        for stacked, given in ((self.lora_a_stacked, lora_a), (self.lora_b_stacked, lora_b)):
            for whole, new in zip(stacked, given, strict=False):
                if new is not None:
                    whole[index, 0, : new.shape[0], : new.shape[1]].copy_(new)


class Split(Layer):
    """One whose ``set_lora`` does something else."""

    def set_lora(self, index: int, lora_a: Any, lora_b: Any) -> None:
        super().set_lora(index, lora_a, lora_b)


class Manager:
    """Activates adapter 1 in slot 1, as vLLM's does."""

    def __init__(self, modules: dict[str, Layer], weights: dict[str, tuple[Any, Any]]) -> None:
        self.modules = modules
        self.weights = weights

    def activate_adapter(self, lora_id: int) -> bool:
        for name, module in self.modules.items():
            if name in self.weights:
                module.set_lora(lora_id, *self.weights[name])
            else:
                module.reset_lora(lora_id)
        return True


def drawn(rank: int, out: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rank, INTO), torch.randn(out, rank)


def both(layers: dict[str, Layer], weights: dict[str, tuple[Any, Any]]) -> tuple[Manager, Manager]:
    """Managers after an activation: vLLM's way, and at one go."""
    own, ours = (
        Manager(layers, weights),
        Manager({name: type(one)(outs(one)) for name, one in layers.items()}, weights),
    )
    own.activate_adapter(1)
    assert at_one_go(Manager.activate_adapter, (Layer.set_lora,))(ours, 1)
    return own, ours


def outs(layer: Layer) -> tuple[int, ...]:
    return tuple(stacked.shape[2] for stacked in layer.lora_b_stacked)


def slots(manager: Manager) -> list[torch.Tensor]:
    return [
        stacked
        for layer in manager.modules.values()
        for stacked in (*layer.lora_a_stacked, *layer.lora_b_stacked)
    ]


def test_every_slot_holds_what_vllm_would_put_there() -> None:
    whole, small = drawn(RANK, 6), drawn(2, 6)
    third = drawn(RANK, 3)
    layers = {
        "one": Layer((6,)),
        "of a smaller rank": Layer((6,)),
        "none": Layer((6, 3)),
        "slices": Layer((6, 3)),
        "a slice without": Layer((6, 3)),
    }
    weights: dict[str, tuple[Any, Any]] = {
        "one": whole,
        "of a smaller rank": small,
        "slices": ([whole[0], third[0]], [whole[1], third[1]]),
        "a slice without": ([whole[0], None], [whole[1], None]),
    }
    own, ours = both(layers, weights)
    assert all(torch.equal(a, b) for a, b in zip(slots(own), slots(ours), strict=True))
    assert all(isinstance(layer, Layer) and layer.asked == [] for layer in ours.modules.values())


def test_a_layer_that_does_more_than_copy_is_left_to_vllm() -> None:
    weights: dict[str, tuple[Any, Any]] = {"split": drawn(RANK, 6)}
    own, ours = both({"split": Split((6,))}, weights)
    assert all(torch.equal(a, b) for a, b in zip(slots(own), slots(ours), strict=True))
    assert ours.modules["split"].asked == ["reset", "set"]


def test_one_on_several_gpus_is_left_to_vllm() -> None:
    layer = Layer((6,))
    layer.tp_size = 2
    at_one_go(Manager.activate_adapter, (Layer.set_lora,))(Manager({"a": layer}, {"a": drawn(RANK, 6)}), 1)
    assert layer.asked == ["reset", "set"]


def test_modules_are_there_again_after_an_error() -> None:
    layers = {"a": Layer((6,))}
    manager = Manager(layers, {})

    def fails(_: Manager, __: int) -> bool:
        raise ValueError("No free lora slots")

    with pytest.raises(ValueError, match="slots"):
        at_one_go(fails, (Layer.set_lora,))(manager, 1)
    assert manager.modules is layers


def test_vllm_finds_it() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_slots")
    assert found.value == "service.engine.lora_slots:register"
