"""Pinned memory for adapters: how much is reserved, and where there is less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from service.engine import lora_memory
from service.engine.lora_memory import BLOCK, blocks_of, reserving, together


def test_groups_keep_the_order_and_are_as_long_as_they_may_be() -> None:
    lengths = {"a": 3, "b": 4, "c": 1, "d": 9, "e": 0, "f": 8, "g": 8}
    assert list(together(lengths, 8)) == [["a", "b", "c"], ["d"], ["e", "f"], ["g"]]
    assert list(together({}, 8)) == []


@pytest.mark.parametrize(
    ("megabytes", "engines", "blocks"), [(1_000_000, 1, 4 * 2), (96, 1, 1), (1_000, 1, 4 * 2), (1_000, 4, 3)]
)
def test_memory_is_reserved_for_all_adapters_that_are_kept_and_one_more(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, engines: int, blocks: int
) -> None:
    asked: list[int] = []

    def reserve(count: int) -> int:
        asked.append(count)
        return count

    monkeypatch.setattr(lora_memory, "_reserve", reserve)
    monkeypatch.setattr(lora_memory, "available_memory", lambda: megabytes * 2**20)
    slots = torch.empty(2, 1, 2**20, dtype=torch.float16)  # two of them, 2 MiB each
    layer = SimpleNamespace(lora_a_stacked=(slots, slots), lora_b_stacked=slots)  # of two slices; not in any
    kept = SimpleNamespace(capacity=3, modules={"a": layer, "b": layer, "head": SimpleNamespace()})
    worker = SimpleNamespace(_adapter_manager=kept)
    two_workers = SimpleNamespace(
        parallel_config=SimpleNamespace(world_size=2, data_parallel_size_local=engines)
    )
    create = reserving(lambda worker, model, vllm_config: model)
    assert create(worker, "model", two_workers) == "model"
    assert asked == [blocks]  # six matrices for each adapter, four in a block


def test_matrices_larger_than_a_block_are_not_reserved_for() -> None:
    large, small = (torch.empty(1, 1, BLOCK + more, dtype=torch.uint8) for more in (1, 0))
    assert blocks_of({"one": SimpleNamespace(lora_a_stacked=(large,), lora_b_stacked=(small,))}) == 1
    assert blocks_of({}) == 0


def test_as_much_is_reserved_as_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    left, said = [torch.empty(0)] * 2, list[str]()

    def empty(*_: Any, **__: Any) -> torch.Tensor:
        if not left:
            raise RuntimeError("CUDA error: out of memory\nand more")
        return left.pop()

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(lora_memory.log, "warning", lambda words, *values: said.append(words % values))
    assert lora_memory._reserve(5) == 2
    assert said == ["no more memory can be pinned: CUDA error: out of memory"]


def test_each_of_several_cards_reads_whole_matrices() -> None:
    """A layer cut by its output, and one by its input: four cards keep a quarter of B, and of A."""
    rank, width = 16, 2**16  # whole: 1 MiB each, in 8 bits
    whole_a, whole_b = ((1, 1, rank, width), (1, 1, width, rank))
    a, b = (torch.empty(shape, dtype=torch.uint8) for shape in (whole_a, whole_b))
    alone = SimpleNamespace(lora_a_stacked=(a,), lora_b_stacked=(b,), base_layer=None)
    base = SimpleNamespace(input_size=width, output_size=width)
    by_output = SimpleNamespace(
        lora_a_stacked=(a,),
        lora_b_stacked=(b[:, :, : width // 4],),
        base_layer=SimpleNamespace(**vars(base), output_size_per_partition=width // 4),
    )
    by_input = SimpleNamespace(lora_a_stacked=(a[..., : width // 4],), lora_b_stacked=(b,), base_layer=base)
    for layer in (by_output, by_input):
        for number in (1, 8, 20):
            layers = [dict.fromkeys(map(str, range(number)), one) for one in (layer, alone)]
            assert blocks_of(layers[0]) == blocks_of(layers[1]) > 0
