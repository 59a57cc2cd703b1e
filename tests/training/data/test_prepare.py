"""The rows of a run: the same on any number of cores, parted for evaluation, as often as weights say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import Recipe
from tests.training.rows import CONVERSATIONS, said, write_rows
from training import recipe as recipes
from training.data.preparing import summary
from training.data.preparing.collection import Prepared
from training.data.preparing.prepare_rows import prepare
from training.data.reading import sources
from training.data.tokens.token_rows import TokenRows
from training.errors import BadRow, BadRows

GENERATED = {
    "generator": "deploy.demo.text.corpus:adapter_rows",
    "rows": 50,
    "arguments": {"adapter": "extract"},
}


def prepared(path: Path, base: Path, *overrides: str) -> Prepared[TokenRows]:
    recipe = recipes.load(path, overrides)
    assert isinstance(recipe, recipes.SftRecipe)
    return prepare(recipe, base, lambda _: None)


def texts(rows: TokenRows, tokenizer: Any) -> list[str]:
    """What each row says."""
    return [
        tokenizer.decode(rows.ids[start : start + length])
        for start, length in zip(rows.starts, rows.lengths, strict=True)
    ]


def same(one: TokenRows, other: TokenRows) -> bool:
    return (
        np.array_equal(one.ids, other.ids)
        and np.array_equal(one.loss_mask, other.loss_mask)
        and np.array_equal(one.lengths, other.lengths)
    )


def test_one_process_and_several_prepare_the_same(
    recipe: Recipe, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PART_ROWS", 20)
    path = recipe(**{"data.sources": [GENERATED], "data.max_tokens": 1024})
    alone = prepared(path, base)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    together = prepared(path, base)
    assert same(alone.train, together.train)
    assert same(alone.validation, together.validation)
    assert (alone.hashes, alone.dropped) == (together.hashes, together.dropped)


def test_bad_rows_come_back_from_a_worker_as_they_went() -> None:
    error = BadRows([BadRow("rows.jsonl:3", "messages", "is empty")])
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.rows) == (str(error), error.rows)


def test_no_row_is_both_trained_and_evaluated_on(recipe: Recipe, base: Path, tokenizer: Any) -> None:
    rows = [said(f"number {i}", f"{i}") for i in range(30)]
    found = prepared(recipe(rows), base)
    trained, evaluated = texts(found.train, tokenizer), texts(found.validation, tokenizer)
    assert (len(trained), len(evaluated)) == (24, 6)
    assert len({*trained, *evaluated}) == 30
    assert texts(prepared(recipe(rows), base, "seed=1").validation, tokenizer) != evaluated


def test_a_row_that_is_there_often_is_trained_or_evaluated_on(
    recipe: Recipe, base: Path, tokenizer: Any
) -> None:
    found = prepared(recipe([said(f"number {i % 10}", "x") for i in range(50)]), base)
    trained, evaluated = texts(found.train, tokenizer), texts(found.validation, tokenizer)
    assert (len(trained), len(evaluated)) == (40, 10)
    assert not {*trained} & {*evaluated}


def test_where_all_rows_are_the_same_what_is_evaluated_on_is_said_to_be_learned(
    recipe: Recipe, base: Path
) -> None:
    path = recipe([said("number", "x")] * 5)
    found = prepared(path, base)
    assert (len(found.train), len(found.validation)) == (3, 2)
    loaded = recipes.load(path)
    assert isinstance(loaded, recipes.SftRecipe)
    assert summary.lines(loaded, found)[-1].startswith(
        "warning: 2 of the rows to evaluate on are learned too"
    )
    several = recipe([said("number", "x")] * 5 + [said("other", "x")])
    assert not any(line.startswith("warning") for line in summary.lines(loaded, prepared(several, base)))


def test_a_weight_says_how_often_a_row_is_seen(
    recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    often = write_rows(tmp_path / "often.jsonl", [said(f"often {i}", "x") for i in range(200)])
    rarely = write_rows(tmp_path / "rarely.jsonl", [said(f"rarely {i}", "x") for i in range(200)])
    given = [
        {"path": str(often), "format": "messages", "weight": 2},
        {"path": str(rarely), "format": "messages", "weight": 0.5},
    ]
    path = recipe(**{"data.sources": given, "data.validation_rows": 20})
    trained = texts(prepared(path, base).train, tokenizer)
    counts = {
        word: [trained.count(text) for text in {*trained} if word in text] for word in ("often", "rarely")
    }
    assert {*counts["often"]} == {2}
    assert {*counts["rarely"]} == {1}
    assert 65 < len(counts["rarely"]) < 125  # half of about 190


def test_data_hashes_follow_the_content(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    first = prepared(recipe(), base).hashes
    assert prepared(recipe(), base).hashes == first
    rows = [*CONVERSATIONS[:-1], said("Where?", "here")]
    assert prepared(recipe(rows), base).hashes != first
    assert [*first] == [str(tmp_path / "tiny.jsonl")]


def test_rows_are_taken_and_joined_whole() -> None:
    ids = np.arange(6, dtype=np.int32)
    rows = TokenRows(ids, ids % 2 == 0, np.array([1, 3, 2]))
    taken = rows.take(np.array([2, 0]))
    assert taken.ids.tolist() == [4, 5, 0]
    assert taken.loss_mask.tolist() == [True, False, True]
    assert taken.lengths.tolist() == [2, 1]
    assert same(TokenRows.join([rows.take(np.array([0])), rows.take(np.array([1, 2]))]), rows)
    assert len(rows.take(np.array([], dtype=np.int64))) == 0
