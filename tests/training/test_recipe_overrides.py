"""A value given beside a recipe takes the place of its own, and is named where it is wrong."""

from __future__ import annotations

import pytest

from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.refused import lines
from training import recipe as recipes
from training.recipe import SftRecipe


def test_overrides_change_values_deep_inside(recipe: Recipe) -> None:
    path = recipe()
    changed = recipes.load(path, ["train.steps=9", "data.sources.0.weight=0.5", "seed=3"])
    assert isinstance(changed, SftRecipe)
    assert (changed.train.steps, changed.data.sources[0].weight, changed.seed) == (9, 0.5, 3)
    unchanged = recipes.load(path)
    assert isinstance(unchanged, SftRecipe)
    assert unchanged.train.steps == 4


def test_a_text_that_looks_like_a_number_stays_one_beside_an_override(recipe: Recipe) -> None:
    path = recipe()
    text = path.read_text(encoding="utf-8").replace("alias: tiny", "alias: '1e5'")
    path.write_text(text.replace("learning_rate: 0.01", "learning_rate: 1e-3"), encoding="utf-8")
    found = recipes.load(path, ["train.steps=7"])
    assert isinstance(found, SftRecipe)
    assert (found.alias, found.train.learning_rate, found.train.steps) == ("1e5", 0.001, 7)


def test_a_switch_of_yaml_1_1_among_a_generators_arguments_is_refused(recipe: Recipe) -> None:
    source = {"generator": "tests.training.generators:several", "rows": 4, "arguments": {"odd": True}}
    path = recipe(**{"data.sources": [source], "train.gradient_checkpointing": True})
    text = path.read_text(encoding="utf-8").replace("checkpointing: true", "checkpointing: on")
    path.write_text(text, encoding="utf-8")
    found = recipes.load(path)
    assert isinstance(found, SftRecipe)
    assert found.train.gradient_checkpointing
    for value in ("yes", "{deep: [no]}"):
        with pytest.raises(DocumentError, match=r"arguments\.odd.*: .* by YAML 1\.1 and a text by 1\.2"):
            recipes.load(path, [f"data.sources.0.arguments.odd={value}"])
    with pytest.raises(DocumentError, match=r"train\.steps: is 8 by YAML 1\.1 and 10 by 1\.2"):
        recipes.load(path, ["train.steps=010"])
    assert recipes.load(path, ["train.gradient_checkpointing=off", "alias=no"])
    path.write_text(text.replace("odd: true", "odd: yes"), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"yaml:\d+: data\.sources\.0\.arguments\.odd: yes is true"):
        recipes.load(path)


def test_an_override_mends_the_value_that_it_replaces(recipe: Recipe) -> None:
    path = recipe(**{"train.steps": 0, "train.batch_rows": "many", "stage": "sftt"})
    text = path.read_text(encoding="utf-8").replace("learning_rate: 0.01", "learning_rate: 010")
    path.write_text(text, encoding="utf-8")
    mended = ["stage=sft", "train.steps=3", "train.batch_rows=2", "train.learning_rate=0.1"]
    found = recipes.load(path, mended)
    assert isinstance(found, SftRecipe)
    assert (found.train.steps, found.train.batch_rows, found.train.learning_rate) == (3, 2, 0.1)

    line = next(at for at, one in enumerate(text.splitlines(), 1) if "batch_rows" in one)
    left, new = lines(path, *mended[:2], mended[3], "seed=x")[::-1]
    assert left == f"{line} train.batch_rows: must be a whole number, found 'many'"
    assert new == "None seed: must be a whole number, found 'x' (with seed=x)"
    assert lines(path, "stage=rmm") == [
        f"None stage: must be one of {', '.join(recipes.STAGES)}, found 'rmm'"
    ]


def test_a_problem_names_the_overrides_at_its_place_and_all_of_them_come_once(recipe: Recipe) -> None:
    path = recipe(form="pairs", stage="dpo", loss="robust", label_smoothing=0.1, sft_weight=1.0)
    found = lines(path, "loss=kto", "lora.rank=2", "lora.r=4")
    assert found == ["None lora.r: unknown key; here it is lora.rank (with lora.r=4)"]
    found = lines(path, "loss=kto", "lora.rank=2")
    assert [line.partition(" (")[2] for line in found] == ["with loss=kto lora.rank=2)", "with the same)"]


def test_overrides_that_fit_nothing_are_refused_together(recipe: Recipe) -> None:
    found = lines(recipe(), "train.steps", "data.sources.4.rows=1", "name.x=1")
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "--set train.steps",
        "--set data.sources.4.rows=1",
        "--set name.x=1",
    ]
    assert "must be key=value" in found[0]
    assert "there is 0" in found[1]
    found = lines(recipe(), "train.epoch=2", "seed=x")
    assert any("train.epoch: unknown key; did you mean 'epochs'?" in line for line in found)
    assert any("seed: " in line and "'x'" in line for line in found)


def test_a_value_that_is_no_yaml_is_refused(recipe: Recipe) -> None:
    assert "the value is not YAML" in lines(recipe(), "train.steps=[1")[0]
