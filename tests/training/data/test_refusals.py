"""What would teach nothing, or teach the wrong thing, stops before a model is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import Recipe, make_base
from tests.training.rows import CONVERSATIONS, TEMPLATE, TOOL_USE, said
from training import recipe as recipes
from training import run
from training.data.preparing import prepare_rows
from training.errors import BadRows, BaseError, NothingToLearn, TrainingError
from training.models import base as bases
from training.recipe import SftRecipe

MARKED = "{%- generation -%}{{- answer(message) -}}{%- endgeneration -%}"


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        pytest.fail(f"the model {name} was loaded")

    monkeypatch.setattr(bases, "load_model", load)


def refused(recipe: Path, runs: Path, kind: type[TrainingError] = NothingToLearn) -> str:
    with pytest.raises(kind) as caught:
        run.train(recipe, runs=runs, report=lambda _: None)
    assert not list(runs.glob("*/artefact"))
    return str(caught.value)


def with_template(folder: Path, template: str) -> str:
    assert template != TEMPLATE
    return str(make_base(folder, template))


def test_a_template_that_leaves_the_end_of_turn_out(recipe: Recipe, tmp_path: Path) -> None:
    unended = TEMPLATE.replace('{{- "<|im_end|>" -}}\n{%- endmacro', "{%- endmacro")
    base = with_template(tmp_path / "base", unended.replace(MARKED, MARKED + '{{- "<|im_end|>" -}}'))
    assert "the end of an assistant's turn is never trained" in refused(recipe(base=base), tmp_path)


def test_a_template_that_does_not_know_weights(recipe: Recipe, tmp_path: Path) -> None:
    base = with_template(tmp_path / "base", TEMPLATE.replace("message.weight == 0", "false"))
    rows = [
        *CONVERSATIONS,
        {"messages": [*said("a", "b", weight=0)["messages"], *said("c", "d")["messages"]]},
    ]
    text = refused(recipe(rows, base=base), tmp_path, BaseError)
    assert text.startswith(f'{tmp_path / "tiny.jsonl"}:47: holds an answer of "weight": 0')


def test_a_template_that_can_not_render_a_row(recipe: Recipe, tmp_path: Path) -> None:
    strict = (
        "{%- for m in messages if m.role == 'tool' -%}{{ raise_exception('no tools here') }}{%- endfor -%}"
    )
    base = with_template(tmp_path / "base", strict + TEMPLATE)
    text = refused(recipe([*CONVERSATIONS, TOOL_USE, TOOL_USE], base=base), tmp_path, BadRows)
    assert text.startswith("2 bad rows\n")
    assert "tiny.jsonl:47: messages: the base's chat template can't render it: no tools here" in text


def test_answers_that_are_all_of_weight_0(recipe: Recipe, tmp_path: Path) -> None:
    rows = [said("red?", "blue", weight=0)] * 5
    assert "no token would be trained (5 rows: no token to learn)" in refused(recipe(rows), tmp_path)


def test_rows_that_are_all_too_long(recipe: Recipe, tmp_path: Path) -> None:
    text = refused(recipe(**{"data.max_tokens": 16}), tmp_path)
    assert "46 rows: longer than max_tokens (16)" in text
    assert "raise data.max_tokens" in text


def test_a_single_row(recipe: Recipe, tmp_path: Path) -> None:
    assert "one more is needed to evaluate on" in refused(recipe(CONVERSATIONS[:1]), tmp_path)


def test_weights_of_sources_that_leave_nothing(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe()
    with pytest.raises(NothingToLearn, match="weight"):
        run.train(path, overrides=["data.sources.0.weight=1e-9"], runs=tmp_path, report=lambda _: None)


def test_a_template_whose_end_of_turn_stops_no_server(recipe: Recipe, tmp_path: Path) -> None:
    """As Gemma's, whose tokenizer's own end is another; but there the base's generation config has it too."""
    closed = TEMPLATE.replace(MARKED, "{{- answer(message) -}}").replace("<|im_end|>", "<|endoftext|>")
    base = Path(with_template(tmp_path / "base", closed))
    config = base / "generation_config.json"
    stops = json.loads(config.read_text(encoding="utf-8"))["eos_token_id"]
    assert len(stops) == 2  # <|im_end|> and <|endoftext|>
    loaded = recipes.load(recipe(base=str(base)))
    assert isinstance(loaded, SftRecipe)
    prepare_rows.prepare(loaded, base, lambda _: None)
    bases.rewrite_json(config, {"eos_token_id": max(stops)})
    assert "must close a turn with the base's eos_token" in refused(recipe(base=str(base)), tmp_path)


def test_a_base_that_is_not_there(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = refused(recipe(base=str(tmp_path / "none")), tmp_path, BaseError)
    assert (
        f"base '{tmp_path / 'none'}' (taken for a hub id, as there is no such folder) can't be loaded" in text
    )


def test_a_base_without_a_chat_template(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    (bare / "chat_template.jinja").unlink()
    assert "no chat template" in refused(recipe(base=str(bare)), tmp_path, BaseError)


def test_one_row_alone_is_refused_with_its_source(recipe: Recipe, tmp_path: Path) -> None:
    text = refused(recipe(CONVERSATIONS[:1]), tmp_path)
    assert text.startswith(f"data.sources ({tmp_path / 'tiny.jsonl'}): only one row is left (one given); ")
