"""`pointsman train` and `data preview`: errors of a recipe are one message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers.utils import logging

import training.preflight.check
import training.preflight.preview
import training.run
from tests.pointsman.conftest import ROOT, Run
from training.errors import BadRow, BadRows, OutOfMemory, TrainingError, Undistributable
from training.preflight.preview import PreviewRow, Span

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


def test_check_tells_a_recipe_from_settings(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found:
        lines = ("served: an adapter of rank 12, as it is", "3 weights [learn]")

    def check(path: Path, overrides: list[str], report: object) -> Found:
        assert (path, overrides, callable(report)) == (RECIPE, ["seed=2"], True)
        return Found()

    monkeypatch.setattr(training.preflight.check, "check", check)
    ended = run("check", RECIPE, "--set", "seed=2")
    assert ended.stdout == "\n".join([*Found.lines, f"{RECIPE}: no problems", ""])
    ended = run("check", config, "--set", "seed=2")
    assert ended.exit_code == 1
    assert "--set is for recipes, and this is none" in ended.stderr


@pytest.mark.parametrize(
    ("error", "rank", "said"),
    [
        (Undistributable("in one process"), "0", True),
        (Undistributable("in one process"), "1", False),
        (OutOfMemory("of this process"), "1", True),  # what one meets alone
    ],
)
def test_of_several_processes_one_says_why_they_do_not_begin(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: TrainingError, rank: str, said: bool
) -> None:
    def refuse(path: Path, **_: object) -> Path:
        raise error

    monkeypatch.setattr(training.run, "train", refuse)
    monkeypatch.setenv("LOCAL_RANK", rank)
    ended = run("train", RECIPE)
    assert ended.exit_code == 1
    assert (str(error) in ended.stderr) == said


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


def test_preview_marks_what_is_trained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(path: Path, count: int, *, overrides: list[str], runs: Path) -> Iterator[PreviewRow]:
        assert (path, count, overrides, runs) == (RECIPE, 2, ["seed=2"], Path("runs"))
        yield PreviewRow("rows.jsonl", 1, (Span("asked [here]", False, 3), Span("told", True, 1)), False)
        yield PreviewRow("rows.jsonl", 2, (Span("long", True, 1),), True)

    def counted(path: Path, report: object, *, overrides: list[str]) -> list[str]:
        assert (path, callable(report), overrides) == (RECIPE, True, ["seed=2"])
        return ["dropped 3 rows: longer than [max_tokens]", "9 rows to train on"]

    monkeypatch.setattr(training.preflight.preview, "preview", rows)
    monkeypatch.setattr(training.preflight.preview, "counted", counted)
    logging.set_verbosity_warning()  # by which it tells developers of long rows
    shown = run("data", "preview", RECIPE, "--rows", "2", "--set", "seed=2").stdout
    assert logging.get_verbosity() == logging.ERROR
    assert "rows.jsonl, row 1: 4 tokens, 1 trained\nasked [here][[told]]" in shown
    assert "rows.jsonl, row 2: 1 tokens, 1 trained, too long\n[[long]]" in shown
    assert shown.endswith(
        "2 rows, 5 tokens, 2 of them trained (green; [[so]] without colours)\n"
        "dropped 3 rows: longer than [max_tokens]\n9 rows to train on\n"
    )


def test_an_error_of_training_is_its_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise BadRows([BadRow("rows.jsonl:3", "messages.0.role", "must be user, found 'usr'")])

    monkeypatch.setattr(training.run, "train", refuse)
    ended = run("train", RECIPE)
    assert ended.exit_code == 1
    assert "error: 1 bad row\n  rows.jsonl:3: messages.0.role: must be user, found 'usr'\n" in ended.stderr


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyboardInterrupt("the same command goes on from step 4"), "stopped; the same command goes on"),
        (KeyboardInterrupt(), "stopped, before the run began"),
    ],
)
def test_ctrl_c_says_how_to_go_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, raised: KeyboardInterrupt, told: str
) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        raise raised

    monkeypatch.setattr(training.run, "train", interrupted)
    ended = run("train", RECIPE)
    assert ended.exit_code == 130
    assert told in ended.stderr
