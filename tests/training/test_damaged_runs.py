"""Files of a run that were damaged after it stopped: it goes on from what is whole, or says what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import Recipe
from tests.training.disturbed import assert_same, break_off
from tests.training.test_run import quiet
from training import run
from training.errors import RunConflict
from training.runs import checkpoint, whole
from training.runs.folder import RunFolder
from training.trainers import trl

STEPS = {"train.steps": 6, "train.save_every": 2}
LAST = "checkpoints/checkpoint-4"


@pytest.mark.parametrize(("name", "now"), [("optimizer.pt", "has 3 bytes of"), ("rng_state.pth", "is gone")])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, now: str
) -> None:
    path = recipe(**STEPS)
    break_off(5, trl.Likelihood, path, tmp_path, monkeypatch)
    file = tmp_path / "tiny" / LAST / name
    if now == "is gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:3])
    told: list[str] = []
    made = run.train(path, runs=tmp_path, report=told.append)
    assert any(
        line.startswith(f"{file} {now}") and "the one before it is gone on from" in line for line in told
    )
    assert any(line.endswith("going on after step 2") for line in told)
    assert_same(made, run.train(path, runs=tmp_path / "whole", report=quiet))


def test_what_a_run_goes_on_by_is_named_where_it_is_damaged(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(**STEPS)
    break_off(5, trl.Likelihood, path, tmp_path / "left", monkeypatch)
    cases: list[tuple[str, Callable[[Path], object], str]] = [
        (
            "metrics.jsonl",
            lambda file: file.write_text("none\n"),
            r"metrics\.jsonl is damaged \(JSONDecodeError",
        ),
        ("metrics.jsonl", lambda file: file.write_bytes(b"\xff\n"), r"metrics\.jsonl is damaged \(Unicode"),
        (
            "metrics.jsonl",
            lambda file: file.write_text("{}\n"),
            r"metrics\.jsonl is damaged \(KeyError: 'step'",
        ),
        ("config.yaml", lambda file: file.write_text("a: [\n"), r"config\.yaml is damaged \(ParserError"),
        ("config.yaml", lambda file: file.write_text("- a\n"), r"config\.yaml is damaged \(AttributeError"),
        ("data.json", lambda file: file.write_text("{"), r"data\.json is damaged"),
        ("seconds", lambda file: file.write_text(""), r"seconds is damaged"),
        (f"{LAST}/complete", lambda file: file.write_text("{"), r"checkpoint-4/complete is damaged"),
    ]
    for name, damage, said in cases:
        runs = tmp_path / "copy"
        shutil.copytree(tmp_path / "left", runs)
        damage(runs / "tiny" / name)
        with pytest.raises(RunConflict, match=rf"{said}.* remove the run's folder to begin again"):
            run.train(path, runs=runs, report=quiet)
        shutil.rmtree(runs)
    for folder in (tmp_path / "left" / "tiny" / "checkpoints").iterdir():
        (folder / "trainer_state.json").write_text("")
    with pytest.raises(RunConflict, match=r"4/trainer_state\.json has 0 bytes of .*no other checkpoint"):
        run.train(path, runs=tmp_path / "left", report=quiet)


def test_a_checkpoint_says_how_long_its_files_are(tmp_path: Path) -> None:
    import torch

    checkpoint.write(tmp_path / "checkpoints", 3, {"a": torch.ones(2)}, {"b": 1})
    folder = tmp_path / "checkpoints" / "checkpoint-3"
    assert whole.damage(folder) == ""
    (folder / "more").write_text("nobody's")
    assert whole.damage(folder) == ""
    (folder / "state.json").write_text("")
    assert whole.damage(folder) == f"{folder / 'state.json'} has 0 bytes of 8"
    (folder / whole.MARK).write_text("")  # as older releases have marked it
    assert whole.damage(folder) == ""
    (tmp_path / "checkpoints" / "checkpoint-of-mine").mkdir()
    assert RunFolder(tmp_path).last_checkpoint() == folder
    assert (tmp_path / "checkpoints" / "checkpoint-of-mine").is_dir()
