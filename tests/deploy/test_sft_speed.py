"""What the GPU's measure of sft counts; the timing itself needs a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deploy.gpu import sft_speed


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_a_leg_is_a_recipe_of_its_method(tmp_path: Path, method: str) -> None:
    for laid in ("packed", "apart"):
        recipe = sft_speed.recipe_of(tmp_path, method, laid)
        assert (recipe.method, recipe.packing, recipe.train.precision) == (method, laid == "packed", "bf16")


def test_a_leg_may_be_changed(tmp_path: Path) -> None:
    changed = sft_speed.recipe_of(tmp_path, "qlora", "packed", ["qlora.paged=false", "train.compile=true"])
    assert changed.qlora
    assert not changed.qlora.paged
    assert changed.train.compile


def test_operations_are_those_of_a_rows_own_tokens() -> None:
    clock = sft_speed.Clock(operations_per_token=100, pad=0)
    batch = {
        "input_ids": torch.tensor([[5, 6, 7], [8, 9, 0]]),  # a row of two beside one of one; two and padding
        "position_ids": torch.tensor([[0, 1, 0], [0, 1, 2]]),
    }
    clock.seen(None, None, batch)
    looked_at = (1 + 2) + 1 + (1 + 2)
    assert clock.counted() == (5, 5 * 100 + 12 * 24 * 896 * looked_at)
    clock.seen(None, None, batch)
    assert clock.counted()[0] == 10


def test_a_profile_says_what_took_the_time() -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as taken:
        torch.ones(64, 64) @ torch.ones(64, 64)
    said = sft_speed.where_time_goes(taken, 0.25)
    assert said.startswith("3 steps, 0.250 s")
    assert "aten::mm" in said
