"""Many tokens by adapter, beside vLLM's formula written anew; few, and what is compiled, go to vLLM's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from service.engine.cpu_rows import FEW, expanding, expanding_slice, shrinking


def never(*_: Any) -> None:
    raise AssertionError("this was to be done by adapter")


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


INDICES = torch.tensor([[2], [-1], [0], [2]]).expand(4, FEW).reshape(-1)  # (T,): runs, and one apart
TOKENS = len(INDICES)


def one_by_one(rows: torch.Tensor, weights: torch.Tensor, width: int) -> torch.Tensor:
    """Every token with the matrix of its slot; zero for -1."""
    found = torch.zeros(len(rows), width)
    for token, slot in enumerate(INDICES.tolist()):
        if slot >= 0:
            found[token] = weights[slot, 0] @ rows[token]
    return found


def test_the_first_half() -> None:
    rows, weights = drawn(TOKENS, 6), drawn(3, 1, 2, 6)
    output = torch.full((TOKENS, 4), 7.0)  # the buffer may be wider than the rank
    shrinking(never)(rows, weights, output, INDICES, 0.5)
    torch.testing.assert_close(output[:, :2], 0.5 * one_by_one(rows, weights, 2))
    assert (output[:, 2:] == 7).all()


def test_the_second_half_adds() -> None:
    rows, weights, before = drawn(TOKENS, 2), drawn(3, 1, 5, 2), drawn(TOKENS, 6)
    output = before.clone()
    expanding(never)(rows, weights, output, INDICES)
    torch.testing.assert_close(output[:, :5], before[:, :5] + one_by_one(rows, weights, 5))
    assert torch.equal(output[:, 5:], before[:, 5:])


def test_a_slice_of_it_adds_to_its_columns() -> None:
    rows, weights, before = drawn(TOKENS, 2), drawn(3, 1, 3, 2), drawn(TOKENS, 9)
    output = before.clone()
    expanding_slice(never)(rows, weights, output, INDICES, 4, 3)
    torch.testing.assert_close(output[:, 4:7], before[:, 4:7] + one_by_one(rows, weights, 3))
    assert torch.equal(output[:, :4], before[:, :4])
    assert torch.equal(output[:, 7:], before[:, 7:])


def test_half_precision_is_computed_in_the_outputs_type() -> None:
    rows, weights = drawn(TOKENS, 6).bfloat16(), drawn(3, 1, 2, 6).bfloat16()
    output = torch.zeros(TOKENS, 2)
    shrinking(never)(rows, weights, output, INDICES)
    torch.testing.assert_close(output, one_by_one(rows.float(), weights.float(), 2))


@pytest.mark.parametrize(
    "indices", [INDICES[: FEW - 1], torch.arange(FEW)], ids=["few tokens", "few of each"]
)
def test_what_is_quicker_there_goes_to_vllms_own(indices: torch.Tensor) -> None:
    asked: list[int] = []
    tokens = len(indices)
    shrinking(lambda *_: asked.append(1))(drawn(tokens, 6), drawn(64, 1, 2, 6), drawn(tokens, 2), indices)
    expanding(lambda *_: asked.append(2))(drawn(tokens, 2), drawn(64, 1, 5, 2), drawn(tokens, 5), indices)
    assert asked == [1, 2]
