"""The correction of what vLLM tells its LoRA kernels, on vLLM's own preparation."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import torch
from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

from service.engine.cuda_lora import adapters_alone

PLACES = 4
CAPTURED = [1, 2, 4, 5]  # numbers of adapters that vLLM captures graphs for


@pytest.mark.parametrize(
    ("slots", "graph"),
    [
        ([-1, 2, -1, 2], 1),
        ([3, -1, 0, 0, -1, 3], 2),
        ([1, 0, -1, 2], 4),  # the least that was captured for three
        ([0, 1, 2, 3, -1], 4),
        ([1, 0], 2),
        ([-1, -1], 0),
    ],
)
def test_a_graph_for_so_many_adapters_reaches_them_all(slots: list[int], graph: int) -> None:
    meta = LoRAKernelMeta.make(PLACES, len(slots), "cpu", CAPTURED)
    adapters_alone(LoRAKernelMeta.prepare_tensors)(meta, torch.tensor(slots, dtype=torch.int32))
    assert int(meta.num_active_loras_cpu) == graph
    reached = {}
    for place in range(graph):  # as the kernels do
        slot, count = int(meta.active_lora_ids[place]), int(meta.num_tokens_per_lora[place])
        begin = int(meta.lora_token_start_loc[place])
        if slot >= 0:
            reached[slot] = sorted(meta.token_indices_sorted_by_lora_ids[begin : begin + count].tolist())
    assert reached == {
        slot: [token for token, own in enumerate(slots) if own == slot] for slot in set(slots) - {-1}
    }
    assert -1 not in meta.active_lora_ids[: len(reached)].tolist()


def test_vllm_finds_the_correction() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_cuda_lora")
    assert found.value == "service.engine.cuda_lora:register"
