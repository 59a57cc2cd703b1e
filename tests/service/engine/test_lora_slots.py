"""Slots of adapters that are filled at once: what they hold is what vLLM's own methods put there."""

from __future__ import annotations

from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from service.engine import lora_slots
from service.engine.lora_slots import filling

SLOTS, RANK = 3, 8
WIDTH, SIZES = 6, (10, 4, 4)  # of the input, and of each slice's output


def layer_of(kind: Any, sizes: tuple[int, ...], tp_size: int = 1) -> Any:
    """A layer of vLLM's with a slice for each size, whose slots hold sevens; of two cards the first."""
    layer = kind.__new__(kind)
    torch.nn.Module.__init__(layer)
    layer.n_slices, layer.tp_size, layer.output_sizes = len(sizes), tp_size, list(sizes)
    layer.base_layer = SimpleNamespace(output_sizes=list(sizes))
    layer.lora_a_stacked = tuple(torch.full((SLOTS, 1, RANK, WIDTH), 7.0) for _ in sizes)
    layer.lora_b_stacked = tuple(torch.full((SLOTS, 1, size, RANK), 7.0) for size in sizes)
    layer.slice_lora_a = lambda matrices: matrices
    layer.slice_lora_b = first_half
    return layer


def first_half(matrices: Any) -> Any:
    if isinstance(matrices, list):
        return [None if one is None else one[: len(one) // 2] for one in matrices]
    return matrices[: len(matrices) // 2]


def pair(size: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rank, WIDTH), torch.randn(size, rank)


def listed(rank: int, *without: int) -> tuple[Any, Any]:
    """A matrix for each slice but those."""
    pairs = [(None, None) if n in without else pair(size, rank) for n, size in enumerate(SIZES)]
    return [a for a, _ in pairs], [b for _, b in pairs]


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM with the plugin in it, and without it again."""
    from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA
    from vllm.lora.model_manager import LoRAModelManager

    for kind in lora_slots._with_subclasses(BaseLinearLayerWithLoRA):
        for name in {"set_lora", "reset_lora"} & set(vars(kind)):
            monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.setattr(LoRAModelManager, "activate_adapter", LoRAModelManager.activate_adapter)
    monkeypatch.setattr(LoRAModelManager, "fills_at_once", False, raising=False)
    lora_slots.register()
    lora_slots.register()


def filled(layers: list[Any], given: list[Any]) -> list[torch.Tensor]:
    """What layers hold after an adapter is activated in slot 1; None: it has nothing for a layer."""

    def activate(_: Any, index: int) -> bool:
        for layer, matrices in zip(layers, given, strict=True):
            if matrices is None:
                layer.reset_lora(index)
            else:
                layer.set_lora(index, *matrices)
        return True

    from vllm.lora.model_manager import LoRAModelManager

    activated = filling(activate) if getattr(LoRAModelManager, "fills_at_once", False) else activate
    assert activated(None, 1)
    return [held for layer in layers for held in (*layer.lora_a_stacked, *layer.lora_b_stacked)]


def made() -> tuple[list[Any], list[Any]]:
    """Layers of vLLM's classes and what an adapter has for them."""
    from vllm.lora.layers import base_linear, column_parallel_linear

    one = base_linear.BaseLinearLayerWithLoRA
    several = column_parallel_linear.MergedColumnParallelLinearWithLoRA
    uneven = column_parallel_linear.MergedColumnParallelLinearVariableSliceWithLoRA
    torch.manual_seed(0)
    layers = [layer_of(one, SIZES[:1]) for _ in range(3)] + [layer_of(several, SIZES) for _ in range(4)]
    given = [pair(SIZES[0], RANK), pair(SIZES[0], 3), None, listed(RANK), listed(5), listed(RANK, 1), None]
    layers += [
        layer_of(uneven, SIZES),
        layer_of(one, (5,), tp_size=2),
        layer_of(several, (5, 2, 2), tp_size=2),
    ]
    given += [pair(sum(SIZES), 4), pair(SIZES[0], 4), listed(RANK, 2)]
    return layers, given


def test_slots_hold_what_vllm_puts_there(request: pytest.FixtureRequest) -> None:
    before = filled(*made())
    request.getfixturevalue("changed")
    after = filled(*made())
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(other[[0, 2]], torch.full_like(other[[0, 2]], 7.0))  # other slots are left alone
        assert not (other[1] == 7.0).any()


def test_a_layer_by_itself_is_set_at_once(changed: None) -> None:
    layers, given = made()
    layers[0].set_lora(0, *given[0])
    assert torch.equal(layers[0].lora_a_stacked[0][0, 0], given[0][0])
    layers[0].reset_lora(0)
    assert not layers[0].lora_a_stacked[0][0].any()


def test_slots_that_are_made_anew_are_filled(changed: None) -> None:
    (layer, *_), ((a, b), *_) = made()
    for _ in range(2):  # the second time there is other memory
        layer.lora_a_stacked = tuple(torch.full_like(one, 7.0) for one in layer.lora_a_stacked)
        assert filling(lambda _, index: bool(layer.set_lora(index, a, b)) or True)(None, 1)
        assert torch.equal(layer.lora_a_stacked[0][1, 0], a)
        assert torch.equal(layer.lora_b_stacked[0][1, 0], b)


def test_what_was_noted_before_an_error_is_done(changed: None) -> None:
    (layer, *_), ((a, b), *_) = made()

    def activate(_: Any, index: int) -> bool:
        layer.set_lora(index, a, b)
        assert not torch.equal(layer.lora_a_stacked[0][index, 0], a)  # not yet
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        filling(activate)(None, 2)
    assert torch.equal(layer.lora_a_stacked[0][2, 0], a)
    assert torch.equal(layer.lora_b_stacked[0][2, 0], b)


def test_vllm_finds_it() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_slots")
    assert found.value == "service.engine.lora_slots:register"
