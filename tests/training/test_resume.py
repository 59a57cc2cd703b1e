"""Killed and started again, a run ends as one that nobody disturbed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.rows import CONVERSATIONS, ROOT
from tests.training.test_run import metrics, quiet
from training import run, trainer
from training.errors import RunConflict

# Steps in several epochs, neither a multiple of an epoch (10) nor of the log; dropout needs the random state.
STEPS = {
    "train.steps": 64,
    "train.save_every": 7,
    "train.log_every": 4,
    "train.evaluate_every": 16,
    "train.schedule": "constant",
    "lora.dropout": 0.2,
}
TIMED = ("tokens_per_second", "seconds")


def untimed(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in line.items() if name not in TIMED} for line in lines]


def command(recipe: Path, runs: Path) -> subprocess.Popen[str]:
    """A real ``pointsman train``."""
    return subprocess.Popen(
        [sys.executable, "-m", "pointsman.cli", "train", str(recipe), "--runs", str(runs)],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_a_killed_run_goes_on_and_ends_the_same(recipe: Recipe, tmp_path: Path, method: str) -> None:
    steps = dict(STEPS) if method == "lora" else STEPS | {"lora.dropout": 0.0, "lora": None}
    path = recipe(method=method, **steps)
    runs = tmp_path / "killed"
    process = command(path, runs)
    waited_until = time.monotonic() + 240
    while not (runs / "tiny" / "checkpoints" / "checkpoint-14" / "complete").exists():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < waited_until
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (runs / "tiny" / "artefact").exists()

    told: list[str] = []
    resumed = run.train(path, runs=runs, report=told.append)
    assert any("was stopped before it was finished; going on after step " in line for line in told)
    told.clear()
    whole = run.train(path, runs=tmp_path / "whole", report=told.append)
    assert artefact.version_of(resumed) == artefact.version_of(whole)
    assert untimed(metrics(runs / "tiny")) == untimed(metrics(tmp_path / "whole" / "tiny"))
    numbers = untimed([artefact.read_manifest(folder).metrics for folder in (resumed, whole)])
    assert numbers[0] == numbers[1]

    # What the process said before it died is what we say: no library's notes to its developers.
    before = [line for line in err.splitlines() if not line.startswith("step ")]
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

    monkeypatch.setattr(trainer._Trainer, "training_step", step)
    again = run.train(path, runs=tmp_path, report=quiet)
    assert artefact.version_of(again) == version
    assert untimed(metrics(tmp_path / "tiny")) == untimed(lines)


def test_a_base_goes_on_too_and_half_a_checkpoint_is_none(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"stage": "cpt", "alias": None, "lora": None, "data.max_tokens": 64, "train.save_every": 3}
    path = recipe(**changes, **{"train.steps": 11, "train.accumulate": 2, "train.batch_rows": 2})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    step = trainer._Trainer.training_step

    def stopped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 8:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(trainer._Trainer, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            run.train(path, runs=tmp_path, report=quiet)
    checkpoints = tmp_path / "tiny" / "checkpoints"
    shutil.copytree(checkpoints / "checkpoint-6", checkpoints / "checkpoint-9")
    (checkpoints / "checkpoint-9" / "complete").unlink()  # the process died while it wrote this one
    told: list[str] = []
    resumed = run.train(path, runs=tmp_path, report=told.append)
    assert f"{tmp_path / 'tiny'} was stopped before it was finished; going on after step 6" in told
    assert artefact.identify_base(resumed) == artefact.identify_base(whole)
    assert untimed(metrics(tmp_path / "tiny")) == untimed(metrics(tmp_path / "whole" / "tiny"))


def test_what_a_run_began_with_must_still_be_there(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe()
    shutil.rmtree(run.train(path, runs=tmp_path, report=quiet))
    recipe(CONVERSATIONS[1:])  # other rows in the same file
    with pytest.raises(RunConflict, match=r"was begun with other rows of .*tiny\.jsonl"):
        run.train(path, runs=tmp_path, report=quiet)


def test_two_processes_do_not_train_in_one_folder(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    with (tmp_path / "tiny" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunConflict, match="another process is training there"):
            run.train(recipe(), runs=tmp_path, report=quiet)
