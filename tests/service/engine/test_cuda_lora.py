"""What our plugin puts in the place of vLLM's LoRA on a GPU, as far as it runs without one."""

from __future__ import annotations

from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

from service.engine.cuda_lora import in_one_piece, tell, update_metadata
from service.engine.lora_batch import TILE, Batch, most_tiles

PLACES = 4
CAPTURED = [1, 2, 4, 5]  # numbers of adapters that vLLM captures graphs for
MOST = 64  # tokens


@pytest.fixture
def meta() -> Any:
    return in_one_piece(LoRAKernelMeta.make)(PLACES, MOST, "cpu", CAPTURED)


@pytest.mark.parametrize(
    ("slots", "graph"),
    [
        ([-1, 2, -1, 2], 1),
        ([3, -1, 0, 0, -1, 3], 2),
        ([1, 0, -1, 2], 4),  # the least that was captured for three
        ([0, 1, 2, 3, -1], 4),
        ([1, 0], 2),
        ([-1, -1], 0),
        ([2] * 40 + [0, -1, 2], 2),
    ],
)
def test_a_graph_for_so_many_adapters_reaches_them_all(meta: Any, slots: list[int], graph: int) -> None:
    tell(meta, [0] * MOST)  # nothing of the batch before may be left
    tell(meta, slots)
    assert int(meta.num_active_loras_cpu) == graph
    assert bool(meta.no_lora_flag_cpu) == (graph == 0)
    if not graph:
        return
    own = {slot: [token for token, one in enumerate(slots) if one == slot] for slot in set(slots) - {-1}}
    sorted_tokens = meta.token_indices_sorted_by_lora_ids
    by_vllm = {}
    for place in range(graph):  # as vLLM's kernels do
        slot, count = int(meta.active_lora_ids[place]), int(meta.num_tokens_per_lora[place])
        begin = int(meta.lora_token_start_loc[place])
        if slot >= 0:
            by_vllm[slot] = sorted_tokens[begin : begin + count].tolist()
    assert by_vllm == own
    by_tile: dict[int, list[int]] = {}
    for slot, begin, count, _ in meta.tiles[: most_tiles(len(slots), graph)].tolist():  # as ours do
        if slot >= 0:
            assert 0 < count <= TILE
            by_tile.setdefault(slot, []).extend(sorted_tokens[begin : begin + count].tolist())
    assert by_tile == own
    assert meta.token_lora_mapping[: len(slots)].tolist() == slots


def test_vllms_kernels_are_told_what_vllm_tells_them(meta: Any) -> None:
    slots = torch.tensor([3, 0, 0, 1, 3, 3, 1], dtype=torch.int32)
    theirs = LoRAKernelMeta.make(PLACES, MOST, "cpu", CAPTURED)
    theirs.prepare_tensors(slots)
    tell(meta, slots.tolist())
    for name in ("active_lora_ids", "num_tokens_per_lora", "no_lora_flag_cpu", "num_active_loras_cpu"):
        assert torch.equal(getattr(meta, name), getattr(theirs, name)), name
    for name in ("token_indices_sorted_by_lora_ids", "token_lora_mapping"):
        assert torch.equal(getattr(meta, name)[: len(slots)], getattr(theirs, name)[: len(slots)]), name
    assert meta.lora_token_start_loc[:4].tolist() == theirs.lora_token_start_loc[:4].tolist()


def test_adapters_are_told_by_their_slots(meta: Any) -> None:
    prompts = in_one_piece(LoRAKernelMeta.make)(PLACES, MOST, "cpu", CAPTURED)
    called = []
    wrapper = SimpleNamespace(
        token_mapping_meta=meta,
        prompt_mapping_meta=prompts,
        _update_base_metadata=lambda *given: called.append(given),
    )
    mapping = SimpleNamespace(index_mapping=(7, 7, 0, 9), prompt_mapping=(7, 0, 9), is_prefill=True)
    update_metadata(wrapper, mapping, [None, 9, 7, None], PLACES, 100)
    assert called == [(mapping, [None, 9, 7, None], PLACES, 100)]
    assert wrapper.is_prefill
    assert meta.token_lora_mapping[:4].tolist() == [2, 2, -1, 1]
    assert prompts.token_lora_mapping[:3].tolist() == [2, -1, 1]


def test_no_batch_needs_more_tiles_than_are_kept() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        tokens, adapters = int(random.integers(1, 200)), int(random.integers(1, 20))
        owners = random.integers(-1, adapters, tokens).astype(np.int32)
        owners[: int(random.integers(0, tokens))] = 0  # a prompt
        batch = Batch.of(owners)
        assert len(batch.tiles) <= most_tiles(tokens, adapters)
        assert batch.tiles[:, 2].sum() == np.count_nonzero(owners >= 0)


def test_vllm_finds_the_plugin() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_cuda_lora")
    assert found.value == "service.engine.cuda_lora:register"
