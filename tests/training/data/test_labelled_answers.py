"""Answers with a label, which kto learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import Recipe
from tests.training.preferences import ASKED, BAD, GOOD, LABELS, PAIRS, loaded, refusal
from training import run
from training.data.formats import preferences
from training.data.formats.pair import Labelled, Pair
from training.data.preparing import prepare_pairs
from training.data.row.fields import FieldError
from training.preflight import check


@pytest.mark.parametrize("key", ["label", "kto_tag"])
def test_a_generators_row_with_a_label_is_a_labelled_answer(key: str) -> None:
    row = {"prompt": "red?", "completion": "blue 7", key: True}
    assert preferences.any_form(row) == Labelled((ASKED,), GOOD, good=True)
    assert preferences.any_form({"prompt": "red?", "chosen": GOOD, "rejected": BAD}) == Pair(
        (ASKED,), GOOD, BAD
    )


def test_labels_come_with_an_answer_or_a_conversation() -> None:
    row = preferences.labels({"prompt": "red?", "completion": "green", "label": False})
    assert (row.prompt, row.completion, row.good) == ((ASKED,), BAD, False)
    assert preferences.labels({"messages": [ASKED, BAD], "label": False}) == row
    turns = [{"from": "human", "value": "red?"}, {"from": "gpt", "value": "green"}]
    assert preferences.labels({"conversations": turns, "kto_tag": False}) == row
    asked = {"instruction": "red?", "input": "", "output": "green"}
    assert preferences.labels({**asked, "kto_tag": False}) == row
    with pytest.raises(FieldError, match="is not read beside messages; remove one"):
        preferences.labels({"messages": [ASKED, BAD], "completion": "blue", "label": False})


def test_labels_may_be_numbers() -> None:
    """As tables write them."""
    rows = [{"prompt": "a", "completion": "b", "label": label} for label in (1, 0, 1.0, 0.0, True, False)]
    assert [preferences.labels(row).good for row in rows] == [True, False] * 3
    with pytest.raises(FieldError, match="or 1 or 0; found 2"):
        preferences.labels({"prompt": "a", "completion": "b", "label": 2})


def test_a_generators_labels_are_for_kto(recipe: Recipe, tmp_path: Path) -> None:
    source = {"generator": f"{__name__}:labelled", "rows": 4}
    text = refusal(recipe(stage="dpo", **{"data.sources": [source]}), tmp_path)
    assert "row 1: label: is for dpo with the loss kto" in text


def labelled(rows: int, seed: int) -> list[dict[str, Any]]:
    return LABELS[:rows]


def test_a_pair_is_two_labelled_answers_for_kto(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    path = recipe(PAIRS, form="pairs", stage="dpo", loss="kto")
    from_pairs = prepare_pairs.labelled(loaded(path), base, lambda _: None)
    path = recipe(LABELS, form="labels", stage="dpo", loss="kto")
    from_labels = prepare_pairs.labelled(loaded(path), base, lambda _: None)
    assert np.array_equal(from_pairs.train.rows.ids, from_labels.train.rows.ids)
    assert np.array_equal(from_pairs.train.good, from_labels.train.good)
    assert 20 < from_pairs.train.good.sum() < 35


def test_both_answers_of_a_pair_are_learned_or_evaluated_on(recipe: Recipe, base: Path) -> None:
    path = recipe(PAIRS[:4], form="pairs", stage="dpo", loss="kto", **{"data.validation_rows": 1})
    found = prepare_pairs.labelled(loaded(path), base, lambda _: None)
    assert (sorted(found.validation.good), len(found.train)) == ([False, True], 6)
    assert len({*found.validation.groups}) == 1


@pytest.mark.parametrize(("good", "said"), [(True, "true"), (False, "false")])
def test_labels_of_one_kind_are_warned_of(recipe: Recipe, tmp_path: Path, good: bool, said: str) -> None:
    of_both: list[str] = []
    path = recipe(LABELS, form="labels", stage="dpo", loss="kto", **{"train.steps": 1})
    check.check(path, [], of_both.append)
    assert not any(line.startswith("warning") for line in of_both)
    rows = [row | {"label": good} for row in LABELS]
    path = recipe(rows, form="labels", stage="dpo", loss="kto", **{"train.steps": 1})
    for begin in (
        lambda report: check.check(path, [], report),
        lambda report: run.train(path, runs=tmp_path, report=report),
    ):
        reported: list[str] = []
        begin(reported.append)
        told = f"warning: every answer to train on has the label {said}, and kto learns what parts good"
        assert sum(line.startswith(told) for line in reported) == 1
