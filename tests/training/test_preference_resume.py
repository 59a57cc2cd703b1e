"""Runs on preferences that are stopped or killed end as if they had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Recipe
from tests.training.disturbed import assert_same, break_off, gone_on, kill_after
from tests.training.preferences import PAIRS, Options, dpo
from tests.training.test_run import quiet
from training import run
from training.trainers import trl

RESUMED = {
    "train.steps": 30,
    "train.save_every": 7,
    "train.log_every": 4,
    "train.evaluate_every": 10,
    "train.schedule": "constant",
}


def test_a_killed_run_with_a_reference_goes_on_and_ends_the_same(recipe: Recipe, tmp_path: Path) -> None:
    """Its checkpoints hold two adapters, of which the library would load the wrong one."""
    sft = recipe(name="sft", **{"train.steps": 10, "train.learning_rate": 0.03})
    first = run.train(sft, runs=tmp_path, report=quiet)
    path = dpo(recipe, init_adapter=str(first), **RESUMED)
    runs = tmp_path / "killed"
    kill_after(7, path, runs)
    resumed = gone_on(path, runs)
    assert_same(resumed, run.train(path, runs=tmp_path / "whole", report=quiet))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (trl.ReferenceFree, {"stage": "dpo", "loss": "orpo"}),
        (trl.Kto, {"stage": "dpo", "loss": "kto"}),
        (trl.Reward, {"stage": "rm"}),
        (trl.Reward, {"stage": "rm", "method": "full", "lora": None}),
        (trl.Dpo, {"stage": "dpo", "method": "qlora"}),
        (trl.Reward, {"stage": "rm", "method": "qlora"}),
    ],
)
def test_a_stopped_run_goes_on_and_ends_the_same(
    kind: type[Any], options: Options, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(PAIRS, form="pairs", **options, **{**RESUMED, "train.steps": 12, "train.save_every": 3})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    break_off(8, kind, path, tmp_path, monkeypatch)
    assert_same(gone_on(path, tmp_path, after=6), whole)
