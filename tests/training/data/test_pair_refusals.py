"""Pairs that can't be learned from are refused, by file, line and field where one is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import Recipe, make_base
from tests.training.preferences import PAIRS, pair, refusal
from tests.training.rows import TEMPLATE
from training.models import base as bases


def test_what_would_teach_nothing_is_refused(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "load_model", lambda name: pytest.fail(f"{name} was loaded"))
    for stage in ("rm", "dpo"):
        path = recipe([pair("red?", "blue", "blue")] * 3, form="pairs", stage=stage)
        text = refusal(path, tmp_path)
        assert "no answer would be trained (3 rows: chosen and rejected are the same); give pairs of" in text
    bare = "{% for m in messages %}{{ m.content }}{% endfor %}"
    base = make_base(tmp_path / "base", bare)
    text = refusal(recipe(PAIRS, form="pairs", stage="dpo", base=str(base)), tmp_path)
    assert "the end of an assistant's turn is never trained" in text
    text = refusal(recipe(PAIRS[:1], form="pairs", stage="dpo"), tmp_path)
    assert "one more is needed to evaluate on" in text


def test_a_template_that_renders_an_answered_prompt_otherwise(recipe: Recipe, tmp_path: Path) -> None:
    last = "{%- if messages[-1].role == 'assistant' %}{{ 'Answered so far. ' }}{% endif -%}"
    base = make_base(tmp_path / "base", last + TEMPLATE)
    text = refusal(recipe(PAIRS[:2], form="pairs", stage="dpo", base=str(base)), tmp_path)
    assert "tiny.jsonl:1: prompt: the base's chat template renders it otherwise once it is answered" in text


def test_bad_rows_are_named_with_file_line_and_field(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe([*PAIRS, {"prompt": "a", "chosen": "b"}], form="pairs", stage="rm")
    assert f"{tmp_path / 'tiny.jsonl'}:31: rejected: must be a text" in refusal(path, tmp_path)
