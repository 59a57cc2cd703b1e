"""Pinned memory for adapters: how much is reserved, and where there is less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA

from service.engine import lora_memory
from service.engine.lora_memory import BLOCK, pieces_of, reserving, together

MIB = 2**20


class Linear(BaseLinearLayerWithLoRA):  # type: ignore[misc]
    """A linear layer of vLLM's with its slots, without the rest."""

    def __init__(self, a: Any, b: Any, **base: int) -> None:
        torch.nn.Module.__init__(self)
        self.lora_a_stacked, self.lora_b_stacked = a, b
        self.__dict__["base_layer"] = SimpleNamespace(**base)


def slots(*shape: int) -> torch.Tensor:
    """Places for matrices, a byte for each number."""
    return torch.empty(*shape, dtype=torch.uint8, device="meta")


def test_groups_keep_the_order_and_are_as_long_as_they_may_be() -> None:
    lengths = {"a": 3, "b": 4, "c": 1, "d": 9, "e": 0, "f": 8, "g": 8}
    assert list(together(lengths, 8)) == [["a", "b", "c"], ["d"], ["e", "f"], ["g"]]
    assert list(together({}, 8)) == []


@pytest.mark.parametrize(
    ("megabytes", "engines", "stages", "most"),
    [(1_000_000, 1, 1, 125_000), (96, 1, 1, 12), (1_000, 4, 1, 125 / 4), (1_000, 1, 2, 125)],
)
def test_memory_is_reserved_for_all_adapters_that_are_kept_and_one_more(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, engines: int, stages: int, most: float
) -> None:
    asked: list[tuple[list[int], int]] = []

    def reserve(pieces: list[int], most: int) -> int:
        asked.append((pieces, most))
        return 0

    monkeypatch.setattr(lora_memory, "_reserve", reserve)
    monkeypatch.setattr(lora_memory, "available_memory", lambda: megabytes * MIB)
    two = slots(2, 1, 2 * MIB)  # two slots of 2 MiB each
    layer = Linear((two, two), two)  # of two slices; not in any
    kept = SimpleNamespace(capacity=3, modules={"a": layer, "b": layer, "head": SimpleNamespace()})
    worker = SimpleNamespace(_adapter_manager=kept)
    parallel = SimpleNamespace(world_size=2, data_parallel_size_local=engines, pipeline_parallel_size=stages)
    create = reserving(lambda worker, model, vllm_config: model)
    assert create(worker, "model", SimpleNamespace(parallel_config=parallel)) == "model"
    # six matrices for each adapter, four in a block
    adapter = [8 * MIB, 4 * MIB] if stages == 1 else [8 * MIB, 8 * MIB, 8 * MIB]
    assert asked == [(adapter * 4, int(most * MIB))]


def test_a_small_adapter_takes_what_it_is_rounded_to() -> None:
    assert pieces_of({"one": Linear((slots(8, 1, 16, 30_000),), (slots(8, 1, 20_000, 16),))}) == [MIB]
    assert pieces_of({}) == []


def test_matrices_larger_than_a_block_are_not_reserved_for() -> None:
    assert pieces_of({"one": Linear((slots(1, 1, BLOCK + 1),), (slots(1, 1, BLOCK),))}) == [BLOCK]


def test_the_experts_of_a_mixture_are_not_counted() -> None:
    """vLLM lists a matrix for each slot and expert there; the linear layers beside them are counted."""
    experts = SimpleNamespace(lora_a_stacked=[slots(32, 2_048)] * 512, lora_b_stacked=[slots(768, 32)] * 512)
    linear = Linear((slots(4, 1, 32, 2_048),), (slots(4, 1, 2_048, 32),))
    assert pieces_of({"experts": experts, "q_proj": linear}) == pieces_of({"q_proj": linear}) == [MIB // 8]


def test_as_much_is_reserved_as_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = list[int](), list[str]()

    def empty(length: int, **_: Any) -> str:
        if len(made) == 2:
            raise RuntimeError("CUDA error: out of memory\nand more")
        made.append(length)
        return ""

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(lora_memory.log, "warning", lambda words, *values: said.append(words % values))
    assert lora_memory._reserve([8, 4, 8, 4], 11) == 8
    assert (made, said) == ([8], [])
    made.clear()
    assert lora_memory._reserve([8, 4, 8, 4], 100) == 12
    assert made == [8, 4]
    assert said == ["no more memory can be pinned: CUDA error: out of memory"]


def test_each_of_several_cards_reads_whole_matrices() -> None:
    """A layer cut by its output, and one by its input: four cards keep a quarter of B, and of A."""
    rank, width = 16, 2**16  # whole: 1 MiB each
    a, b = slots(1, 1, rank, width), slots(1, 1, width, rank)
    base = {"input_size": width, "output_size": width}
    alone = Linear((a,), (b,))
    by_output = Linear((a,), (b[:, :, : width // 4],), **base, output_size_per_partition=width // 4)
    by_input = Linear((a[..., : width // 4],), (b,), **base)
    for layer in (by_output, by_input):
        for number in (1, 8, 20):
            layers = [dict.fromkeys(map(str, range(number)), one) for one in (layer, alone)]
            assert pieces_of(layers[0]) == pieces_of(layers[1]) != []
