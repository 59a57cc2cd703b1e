"""Runs that are killed or broken off on the way, and what must be the same once they have ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pointsman import artefact
from tests import warm
from tests.training.test_run import metrics, quiet
from training import run
from training.ppo.stage import PARTS

TIMED = ("tokens_per_second", "seconds", *PARTS)
WAIT_SECONDS = 240.0


def untimed(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    """Metrics without those that tell how fast the machine was."""
    return [{name: value for name, value in line.items() if name not in TIMED} for line in lines]


def kill_after(step: int, recipe: Path, runs: Path) -> str:
    """SIGKILL to a real ``pointsman train`` once its checkpoint of ``step`` is whole; what it said."""
    output = runs.with_suffix(".said")
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    process = warm.pointsman(["train", str(recipe), "--runs", str(runs)], output, environment)
    deadline = time.monotonic() + WAIT_SECONDS
    while not (runs / recipe.stem / "checkpoints" / f"checkpoint-{step}" / "complete").exists():
        assert process.is_alive(), output.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert process.pid is not None
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (runs / recipe.stem / "artefact").exists()
    return output.read_text(encoding="utf-8")


def break_off(
    step: int, trainer: type[Any], recipe: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin a run, and leave it within ``step`` as Ctrl-C does."""
    real = trainer.training_step

    def stopped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "training_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            run.train(recipe, runs=runs, report=quiet)


def gone_on(recipe: Path, runs: Path, after: int | None = None) -> Path:
    """The artefact of a run that was disturbed, which says that it goes on, ``after`` a step."""
    told: list[str] = []
    made = run.train(recipe, runs=runs, report=told.append)
    begin = f"{runs / recipe.stem} was stopped before it was finished; going on after step "
    assert any(line == f"{begin}{after}" if after else line.startswith(begin) for line in told)
    return made


def assert_same(one: Path, other: Path) -> None:
    """Two runs left the same weights, to the bit, and the same numbers."""
    weights = [sorted(folder.glob("*.safetensors")) for folder in (one, other)]
    assert weights[0]
    assert [file.name for file in weights[0]] == [file.name for file in weights[1]]
    for mine, theirs in zip(*weights, strict=True):
        assert mine.read_bytes() == theirs.read_bytes()
    assert untimed(metrics(one.parent)) == untimed(metrics(other.parent))
    numbers = untimed([artefact.read_manifest(folder).metrics for folder in (one, other)])
    assert numbers[0] == numbers[1]
