"""`pointsman train` and `data preview`: errors of a recipe are one message."""

from __future__ import annotations

from pathlib import Path

import pytest

import training.run
from tests.pointsman.conftest import ROOT, Run
from training.errors import BadRow, BadRows

RECIPE = ROOT / "deploy" / "demo" / "recipes" / "support.yaml"


def test_a_recipe_with_mistakes_is_refused_with_all_of_them(run: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.read_text("utf-8").replace("stage: sft", "stage: sft\nranks: 7"), "utf-8")
    ended = run("train", recipe)
    assert ended.exit_code == 1
    assert "ranks: unknown key" in ended.stderr
    ended = run("train", RECIPE, "--set", "train.epoch=2", "--set", "seed=x")
    assert ended.exit_code == 1
    assert "train.epoch: unknown key" in ended.stderr
    assert "seed: " in ended.stderr


def test_what_is_said_goes_to_stderr_and_the_artefact_to_stdout(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(path: Path, *, overrides: list[str], runs: Path, report: object) -> Path:
        assert (path, overrides, runs) == (RECIPE, ["seed=2"], tmp_path)
        assert callable(report)
        report("step 1 of [2]")
        return tmp_path / "support" / "artefact"

    monkeypatch.setattr(training.run, "train", trained)
    ended = run("train", RECIPE, "--set", "seed=2", "--runs", tmp_path)
    assert ended.stdout == f"{tmp_path / 'support' / 'artefact'}\n"
    assert ended.stderr.endswith("step 1 of [2]\n")


def test_an_error_of_training_is_its_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise BadRows([BadRow("rows.jsonl:3", "messages.0.role", "must be user, found 'usr'")])

    monkeypatch.setattr(training.run, "train", refuse)
    ended = run("train", RECIPE)
    assert ended.exit_code == 1
    assert "error: 1 bad row\n  rows.jsonl:3: messages.0.role: must be user, found 'usr'\n" in ended.stderr


def test_ctrl_c_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.run, "train", interrupted)
    ended = run("train", RECIPE)
    assert ended.exit_code == 130
    assert "the same command goes on from the last checkpoint" in ended.stderr
