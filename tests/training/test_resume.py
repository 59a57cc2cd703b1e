"""Killed and started again, a run ends as one that nobody disturbed."""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.disturbed import assert_same, break_off, gone_on, kill_after, untimed
from tests.training.rows import CONVERSATIONS
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import RunConflict
from training.trainers import trl

# Steps in several epochs, neither a multiple of an epoch (10) nor of the log; dropout needs the random state.
STEPS = {
    "train.steps": 64,
    "train.save_every": 7,
    "train.log_every": 4,
    "train.evaluate_every": 16,
    "train.schedule": "constant",
    "lora.dropout": 0.2,
}


@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_a_killed_run_goes_on_and_ends_the_same(recipe: Recipe, tmp_path: Path, method: str) -> None:
    steps = dict(STEPS) if method == "lora" else STEPS | {"lora.dropout": 0.0, "lora": None}
    path = recipe(method=method, **steps)
    runs = tmp_path / "killed"
    said = kill_after(14, path, runs)
    told: list[str] = []
    whole = run.train(path, runs=tmp_path / "whole", report=told.append)
    assert_same(gone_on(path, runs), whole)

    # What the process said before it died is what we say: no library's notes to its developers.
    before = [line for line in said.splitlines() if not line.startswith("step ")]
    assert before == ["loading the training libraries", *told[:4]]


@pytest.mark.parametrize("steps", [9, 10])  # within an epoch, and at its end
def test_a_run_killed_after_its_last_step_trains_no_further(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    path = recipe(**{**STEPS, "train.steps": steps})
    made = run.train(path, runs=tmp_path, report=quiet)
    version, lines = artefact.version_of(made), metrics(tmp_path / "tiny")
    shutil.rmtree(made)

    def step(*_: Any, **__: Any) -> None:
        pytest.fail("one more step was trained")

    monkeypatch.setattr(trl.Likelihood, "training_step", step)
    told: list[str] = []
    again = run.train(path, runs=tmp_path, report=told.append)
    assert artefact.version_of(again) == version
    assert [line for line in told if line.startswith(f"step {steps} of {steps}: eval loss")]
    assert untimed(metrics(tmp_path / "tiny")) == untimed(lines)


def test_a_base_goes_on_too_and_half_a_checkpoint_is_none(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"stage": "cpt", "alias": None, "lora": None, "data.max_tokens": 64, "train.save_every": 3}
    path = recipe(**changes, **{"train.steps": 11, "train.accumulate": 2, "train.batch_rows": 2})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    break_off(8, trl.Likelihood, path, tmp_path, monkeypatch)
    checkpoints = tmp_path / "tiny" / "checkpoints"
    shutil.copytree(checkpoints / "checkpoint-6", checkpoints / "checkpoint-9")
    (checkpoints / "checkpoint-9" / "complete").unlink()  # the process died while it wrote this one
    resumed = gone_on(path, tmp_path, after=6)
    assert_same(resumed, whole)
    assert artefact.identify_base(resumed) == artefact.identify_base(whole)


def test_a_run_has_taken_the_time_of_all_its_processes(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(**{"train.steps": 3, "train.save_every": 2, "train.log_every": 1})
    clock = tmp_path / "tiny" / "seconds"
    clock.parent.mkdir()
    clock.write_text("5000.0\n", encoding="utf-8")  # of a beginning that left no checkpoint: all is done anew
    break_off(2, trl.Likelihood, path, tmp_path, monkeypatch)
    assert float(clock.read_text(encoding="utf-8")) < 5000
    clock.write_text("1000.0\n", encoding="utf-8")
    made = gone_on(path, tmp_path, after=2)
    spent = artefact.read_manifest(made).metrics["seconds"]
    assert 1000 < spent < 5000
    assert float(clock.read_text(encoding="utf-8")) == spent
    clock.unlink()  # a run of before this was kept
    shutil.rmtree(made)
    again = artefact.read_manifest(gone_on(path, tmp_path, after=3)).metrics["seconds"]
    assert again < 1000


def test_what_a_run_began_with_must_still_be_there(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe()
    made = run.train(path, runs=tmp_path, report=quiet)
    assert run.train(path, runs=tmp_path, report=quiet) == made
    recipe(CONVERSATIONS[1:])  # other rows in the same file
    with pytest.raises(RunConflict, match=r"is finished, and .*tiny\.jsonl changed since"):
        run.train(path, runs=tmp_path, report=quiet)
    shutil.rmtree(made)
    with pytest.raises(RunConflict, match=r"was begun with other rows of .*tiny\.jsonl"):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_run_of_before_a_key_was_there_goes_on(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(**{"train.steps": 3, "train.save_every": 2})
    break_off(2, trl.Likelihood, path, tmp_path, monkeypatch)
    config = tmp_path / "tiny" / "config.yaml"
    then = config.read_text(encoding="utf-8")
    assert "columns: {}\n" in then
    config.write_text(re.sub(r" +columns: {}\n", "", then), encoding="utf-8")
    assert gone_on(path, tmp_path, after=2).is_dir()


def test_two_processes_do_not_train_in_one_folder(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    with (tmp_path / "tiny" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunConflict, match="another process is training there"):
            run.train(recipe(), runs=tmp_path, report=quiet)
