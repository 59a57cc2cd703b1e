"""Our LoRA kernels, run by Triton's interpreter, beside the formula."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from vllm.lora.ops.triton_ops.lora_kernel_metadata import LoRAKernelMeta

from service.engine.cuda_lora import in_one_piece, multiplying, tell

SLOTS = 5
SCALE = 0.5


@pytest.fixture(scope="module")
def kernels() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")  # read when the kernels are defined
        from service.engine import lora_kernels

        yield lora_kernels


@pytest.mark.parametrize(
    ("widths", "inner", "rank"),
    [((96, 32, 32), 300, 16), ((130,), 512, 8), ((256, 256), 64, 24)],
    ids=["three slices, odd inner", "odd width, rank 8", "two slices, rank 24"],
)
def test_each_token_is_multiplied_by_its_own_adapter(
    kernels: ModuleType, widths: tuple[int, ...], inner: int, rank: int
) -> None:
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random).half()

    owners = np.random.default_rng(0).integers(-1, SLOTS, 37).astype(np.int32)
    owners[:20] = 2  # more than a tile
    x, y = drawn(37, inner), drawn(37, sum(widths))
    a = [drawn(SLOTS, 1, rank, inner) * 0.1 for _ in widths]
    b = [drawn(SLOTS, 1, width, rank) * 0.1 for width in widths]
    expected = y.float()
    for token, slot in enumerate(owners):
        if slot >= 0:
            each = [(x[token].float() @ one[slot, 0].float().T) for one in a]
            expected[token] += SCALE * torch.cat(
                [low @ two[slot, 0].float().T for low, two in zip(each, b, strict=True)]
            )
    wrapper = _wrapper(owners)
    multiplying(_never)(wrapper, y, x, a, b, SCALE, widths)
    assert torch.allclose(y.float(), expected, atol=5e-3)


def test_what_they_can_not_do_is_left_to_vllm(kernels: ModuleType) -> None:
    given: list[dict[str, Any]] = []
    product = multiplying(lambda *_, **keywords: given.append(keywords))
    wrapper = _wrapper(np.array([0], dtype=np.int32))
    x, a = torch.ones(1, 8), torch.ones(SLOTS, 1, 2, 8)
    b = torch.ones(SLOTS, 1, 4, 2)
    product(wrapper, torch.zeros(1, 4), x, [a], [b], 1.0, [4], add_inputs=False)
    product(wrapper, torch.zeros(1, 16), x, [a] * 4, [b] * 4, 1.0, [4] * 4)
    product(wrapper, torch.zeros(1, 2), x, [a], [b], 1.0, [2])
    assert given == [{"add_inputs": False}, {"add_inputs": True}, {"add_inputs": True}]


def test_without_adapters_nothing_is_added(kernels: ModuleType) -> None:
    wrapper = _wrapper(np.array([0], dtype=np.int32))
    tell(wrapper.token_mapping_meta, [-1])
    y = torch.zeros(1, 4, dtype=torch.float16)
    a, b = torch.ones(SLOTS, 1, 2, 8).half(), torch.ones(SLOTS, 1, 4, 2).half()
    multiplying(_never)(wrapper, y, torch.ones(1, 8).half(), [a], [b], 1.0, [4])
    assert not y.any()


def _wrapper(owners: Any) -> Any:
    """What vLLM's wrapper has of a batch with these."""
    meta = in_one_piece(LoRAKernelMeta.make)(SLOTS, len(owners), "cpu", [])
    tell(meta, owners.tolist())
    return SimpleNamespace(token_mapping_meta=meta, lora_config=SimpleNamespace(specialize_active_lora=False))


def _never(*_: Any, **__: Any) -> None:
    raise AssertionError("vLLM's own was asked")
