"""What the files of weights hold, number by number."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training.models import weights


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_found_wherever_it_is(
    tmp_path: Path, dtype: torch.dtype, number: float
) -> None:
    held = {"a": torch.ones(3, 5), "b": -torch.ones(7), "empty": torch.ones(0, 3)}
    held = {name: weight.to(dtype) for name, weight in held.items()} | {"ids": torch.arange(3)}
    save_file(held, tmp_path / "model.safetensors")
    assert weights.not_finite(tmp_path) is None
    for name in ("a", "b"):
        spoiled = held[name].float().clone()
        spoiled.view(-1)[-2] = number
        save_file(held | {name: spoiled.to(dtype)}, tmp_path / "model.safetensors")
        assert weights.not_finite(tmp_path) == f"{name} holds a number that is NaN or infinite"
    save_file({name: torch.full((2,), number) for name in "abc"}, tmp_path / "model.safetensors")
    assert weights.not_finite(tmp_path) == "a holds a number that is NaN or infinite, as do 2 more"
