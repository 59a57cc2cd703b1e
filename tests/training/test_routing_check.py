"""What is said of a router's recipe: what is wrong with it, what it will take, the rows it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.intents import texts, write
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.errors import (
    BadRows,
    BaseError,
    LossNotFinite,
    NotReady,
    PackageMissing,
)
from training.preflight import check, preview
from training.runs import trackers


def test_recipes_that_can_not_be_trained_are_refused(tmp_path: Path, encoder: Path) -> None:
    path = write(tmp_path, encoder)
    with pytest.raises(DocumentError, match="sees every row once"):
        recipes.load(path, ["data.sources.0.weight=2"])
    with pytest.raises(DocumentError, match="this stage reads intents, routes"):
        recipes.load(path, ["data.sources.0.format=text"])
    with pytest.raises(BaseError, match="can't be loaded"):
        run.train(path, overrides=[f"base={tmp_path}"], runs=tmp_path / "runs", report=quiet)
    with pytest.raises(LossNotFinite, match="at step"):
        run.train(path, overrides=["train.learning_rate=1000"], runs=tmp_path / "runs", report=quiet)


def test_all_that_is_wrong_is_said_at_once(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trackers.PACKAGES, "wandb", "nowhere_to_be_found")
    path = write(tmp_path, encoder, [*texts(), {"text": "pear"}])
    overrides = [f"base={tmp_path}", "trackers=[wandb]"]
    with pytest.raises(NotReady) as caught:
        check.check(path, overrides, quiet)
    assert [type(error) for error in caught.value.errors] == [PackageMissing, BadRows, BaseError]


def test_a_run_is_foreseen_and_its_rows_are_shown(tmp_path: Path, encoder: Path) -> None:
    path = write(tmp_path, encoder, steps=None, epochs=2)
    found = check.check(path, [], quiet)
    assert found.steps == 6  # twice 18 of 24 rows, by 6
    assert found.tokens == round(6 * 6 * (18 * 4 + 3) / 21)  # 18 texts of four words, three names of one
    assert found.lines[0] == "served: as the router's encoder, by the settings' router.encoder"
    assert found.lines[1].startswith("21 rows of 3 intents to train on")
    assert "weights learn; about" in found.lines[2]
    shown = list(preview.preview(path, 30))
    assert (shown[0].answer, shown[0].trained, shown[0].tokens) == ("fruit", 4, 4)
    assert (shown[-1].answer, shown[-1].trained) == ("out of scope", 0)
