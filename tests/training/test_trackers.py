"""What TensorBoard and W&B get is what ``metrics.jsonl`` holds; one that is not there stops the run first."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.errors import PackageMissing, RunConflict, TrackerError
from training.preflight import check
from training.runs import folder as runfolder

Lines = dict[int, dict[str, float]]  # step → name → value
EVERY = {"train.log_every": 1, "train.evaluate_every": 2, "train.save_every": 2}


def events(folder: Path) -> Iterator[Any]:
    """Every event of a folder's files, oldest first: records of length, checksum, content, checksum."""
    for path in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            yield Event.FromString(content[at + 12 : at + 12 + length])
            at += 12 + length + 4


def shown(folder: Path) -> Lines:
    """What TensorBoard shows: of a step that was written twice the later, and nothing behind a restart."""
    found: Lines = {}
    for event in events(folder):
        if event.HasField("session_log"):
            found = {step: line for step, line in found.items() if step < event.step}
        for value in event.summary.value:
            found.setdefault(event.step, {})[value.tag] = value.simple_value
    return found


def grouped(name: str) -> str:
    kind, _, rest = name.partition("_")
    return f"eval/{rest}" if kind == "eval" else f"train/{name}"


def written(lines: list[dict[str, float]]) -> Lines:
    found: Lines = {}
    for line in lines:
        numbers = {grouped(name): value for name, value in line.items() if name not in ("step", "epoch")}
        found.setdefault(int(line["step"]), {}).update(numbers)
    return found


def test_tensorboard_shows_the_metrics_also_of_a_run_that_went_on(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    path = recipe(trackers=["tensorboard"], **EVERY)
    run.train(path, runs=tmp_path, report=quiet)
    first = shown(folder / "tensorboard")
    assert sorted(first) == [1, 2, 3, 4]
    assert first[4].keys() >= {"train/loss", "eval/loss"}
    for step, line in written(metrics(folder)).items():
        assert first[step] == pytest.approx(line)

    shutil.rmtree(folder / "artefact")  # as if it had been killed behind step 2
    shutil.rmtree(folder / "checkpoints" / "checkpoint-4")
    run.train(path, runs=tmp_path, report=quiet)
    assert len(list((folder / "tensorboard").iterdir())) == 2
    again = shown(folder / "tensorboard")
    for step, line in written(metrics(folder)).items():
        assert again[step] == pytest.approx(line)


def test_a_run_may_go_on_with_another_tracker(recipe: Recipe, tmp_path: Path) -> None:
    with runfolder.opened(recipes.load(recipe()), tmp_path) as folder:
        (folder.checkpoints / "checkpoint-2").mkdir(parents=True)
        (folder.checkpoints / "checkpoint-2" / "complete").touch()
    with runfolder.opened(recipes.load(recipe(trackers=["tensorboard"])), tmp_path) as folder:
        assert "trackers:\n- tensorboard" in folder.config.read_text("utf-8")
    with pytest.raises(RunConflict, match="seed"), runfolder.opened(recipes.load(recipe(seed=1)), tmp_path):
        pass


def test_stages_that_learn_from_their_own_answers_are_tracked_too(online: Online, tmp_path: Path) -> None:
    path = online("ppo", trackers=["tensorboard"], **{"train.steps": 1})
    run.train(path, runs=tmp_path, report=quiet)
    assert "eval/reward" in shown(tmp_path / "tiny" / "tensorboard")[1]


class Wandb:
    """W&B's module: remembers what it was told."""

    errors = SimpleNamespace(Error=type("Error", (Exception,), {}))
    run = None
    __spec__ = ModuleSpec("wandb", None)

    def __init__(self) -> None:
        self.refuses = False
        self.begun: list[dict[str, Any]] = []
        self.lines: list[dict[str, float]] = []
        self.ended: list[int] = []

    def end(self, exit_code: int) -> None:
        self.ended.append(exit_code)

    def init(self, **how: Any) -> Any:
        if self.refuses:
            raise self.errors.Error("no key")
        self.begun.append(how)
        return SimpleNamespace(
            define_metric=lambda *_, **__: None,
            log=self.lines.append,
            finish=self.end,
        )


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    found = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", found)
    monkeypatch.setattr("training.runs.trackers.find_spec", lambda _: object())
    return found


def test_wandb_gets_the_metrics_and_goes_on_in_the_same_run(
    recipe: Recipe, tmp_path: Path, wandb: Wandb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    path = recipe(trackers=["wandb"], **EVERY)
    run.train(path, runs=tmp_path, report=quiet)
    assert wandb.lines == metrics(tmp_path / "tiny")
    assert wandb.ended == [0]
    assert wandb.begun[0]["project"] == "pointsman"
    assert wandb.begun[0]["config"]["train"]["steps"] == 4

    shutil.rmtree(tmp_path / "tiny" / "artefact")
    run.train(path, runs=tmp_path, report=quiet)
    assert wandb.begun[1]["id"] == wandb.begun[0]["id"]
    shutil.rmtree(tmp_path / "tiny")
    run.train(path, overrides=["train.steps=1"], runs=tmp_path, report=quiet)
    assert wandb.begun[2]["id"] != wandb.begun[0]["id"]


def test_a_run_that_fails_is_marked_so(recipe: Recipe, tmp_path: Path, wandb: Wandb) -> None:
    with pytest.raises(Exception, match="no such file"):
        run.train(
            recipe(trackers=["wandb"]),
            overrides=["data.sources.0.path=missing.jsonl"],
            runs=tmp_path,
            report=quiet,
        )
    assert wandb.ended == [1]


def test_wandb_that_refuses_says_how_to_go_on(recipe: Recipe, tmp_path: Path, wandb: Wandb) -> None:
    wandb.refuses = True
    with pytest.raises(TrackerError, match=r"can't begin a run: no key\. .*WANDB_MODE=offline"):
        run.train(recipe(trackers=["wandb"]), runs=tmp_path, report=quiet)
    assert not (tmp_path / "tiny" / "metrics.jsonl").exists()


def test_a_tracker_that_is_not_installed_is_said_before_training(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.runs.trackers.find_spec", lambda _: None)
    path = recipe(trackers=["wandb"])
    with pytest.raises(PackageMissing, match=r"wandb needs the package wandb, .*uv pip install wandb"):
        run.train(path, runs=tmp_path, report=quiet)
    assert not (tmp_path / "tiny" / "metrics.jsonl").exists()
    with pytest.raises(PackageMissing):
        check.check(path, [], quiet)
