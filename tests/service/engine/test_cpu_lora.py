"""The correction of vLLM's CPU operations, on vLLM's formula written anew."""

from __future__ import annotations

from importlib.metadata import entry_points

import torch

from service.engine.cpu_lora import leave_base_alone


def shrink(
    inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, indices: torch.Tensor, scaling: float
) -> None:
    """Every token with the matrix of its slot; slot -1 is the last one, which is the fault."""
    for token, slot in enumerate(indices.tolist()):
        output[token] = scaling * (weights[slot, 0] @ inputs[token])


def test_tokens_without_an_adapter_get_zero_and_the_others_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, weights = torch.randn(4, 6, generator=generator), torch.randn(3, 1, 2, 6, generator=generator)
    indices = torch.tensor([0, -1, 2, -1])
    output = torch.full((4, 2), 7.0)
    leave_base_alone(shrink)(inputs, weights, output, indices, 0.5)
    expected = torch.stack(
        [
            0.5 * weights[0, 0] @ inputs[0],
            torch.zeros(2),
            0.5 * weights[2, 0] @ inputs[2],
            torch.zeros(2),
        ]
    )
    torch.testing.assert_close(output, expected)


def test_vllm_finds_the_correction() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_cpu_lora")
    assert found.value == "service.engine.cpu_lora:register"
