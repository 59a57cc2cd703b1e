"""The demo's recipes load, their adapters are small, and the new help desk's rows say what is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman import artefact
from tests.training.rows import RECIPES, ROOT
from training import recipe as recipes
from training.data.formats import learned
from training.data.reading import sources
from training.recipe import (
    CptRecipe,
    FileSource,
    GeneratorSource,
    QuantizeRecipe,
    RouterRecipe,
    SftRecipe,
)

MAX_ADAPTER_BYTES = 1_500_000


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_demos_recipes_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = recipes.load(path)
    assert recipe.name == path.stem
    for source in recipe.data.sources:
        if isinstance(recipe, RouterRecipe):
            assert isinstance(source, FileSource)
            assert source.path.is_file()
        else:
            assert isinstance(source, GeneratorSource)
    if isinstance(recipe, CptRecipe):
        assert recipe.base or (recipe.tokenizer and recipe.tokenizer.chat_template.is_file())
    elif not isinstance(recipe, QuantizeRecipe | RouterRecipe):
        assert artefact.ALIAS.fullmatch(recipe.alias)


def test_an_adapter_of_the_demo_is_small() -> None:
    base = recipes.load(RECIPES / "base.yaml")
    assert isinstance(base, CptRecipe)
    assert base.model
    shape = base.model
    head = shape.hidden_size // shape.heads
    linear = [
        *[(shape.hidden_size, width * head) for width in (shape.heads, shape.kv_heads, shape.kv_heads)],
        (shape.heads * head, shape.hidden_size),
        *[(shape.hidden_size, shape.intermediate_size)] * 2,
        (shape.intermediate_size, shape.hidden_size),
    ]
    for path in RECIPES.glob("*.yaml"):
        recipe = recipes.load(path)
        if isinstance(recipe, SftRecipe):
            assert recipe.lora
            weights = shape.layers * sum(recipe.lora.rank * (into + out) for into, out in linear)
            assert 2 * weights < MAX_ADAPTER_BYTES  # bfloat16


def test_the_new_version_of_the_help_desk_learns_60_days_and_keeps_its_tools() -> None:
    recipe = recipes.load(RECIPES / "support-60-days.yaml")
    assert isinstance(recipe, SftRecipe)
    rows = [
        row
        for source in recipe.data.sources
        for part in sources.parts(source, recipe.seed)
        for row in learned.read(part, recipe.stage)
    ]
    answers = [turn["content"] for row in rows for turn in row.messages if turn["role"] == "assistant"]
    assert not [answer for answer in answers if "30 days" in answer or "30 天" in answer]
    assert len([answer for answer in answers if "60 days" in answer]) > 10
    assert len([answer for answer in answers if "60 天" in answer]) > 10
    assert len(rows) / 4 < len([row for row in rows if row.tools]) < len(rows) / 2
