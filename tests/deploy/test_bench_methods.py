"""What the bench of the methods asks for, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deploy.bench.method_leg import OPTIONS, Measured, cases, recipe
from deploy.bench.methods import table
from training import recipe as recipes
from training.recipe import SftRecipe


@pytest.mark.parametrize("method", OPTIONS)
def test_every_method_has_a_recipe_of_the_same_rows(tmp_path: Path, method: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(method, rows=300, steps=7, batch_rows=4)), encoding="utf-8")
    read = recipes.load(path)
    assert isinstance(read, SftRecipe)
    assert (read.method, read.train.steps, read.train.batch_rows, read.seed) == (method, 7, 4, 60)
    assert read.data.sources[0].label == "deploy.demo.text.corpus:refund_rows(refund_days=60)"


def test_the_window_is_asked_for_apart_from_the_rest() -> None:
    asked = cases(3)
    assert {kind: len(samples) for kind, samples in asked.items()} == {"window": 6, "rest": 6}
    wanted = {kind: [sample.expect for sample in samples] for kind, samples in asked.items()}
    assert {expect.contains for expect in wanted["window"] if expect} == {("60 days",), ("60 天",)}
    assert not any(expect and expect.contains in (("60 days",), ("60 天",)) for expect in wanted["rest"])


def test_a_method_is_a_row_of_the_table() -> None:
    one = Measured(12.4, 400_000, 900.0, 0.01234, 0.95, 0.5, 0.002)
    lines = table({"lora": one, "prefix": one}).splitlines()
    assert lines[2] == "| lora (0.001) | 400,000 | 12 | 900 | 0.0123 | 95% | 50% | +0.0020 | as it is |"
    assert lines[3].endswith("| after `convert`, distilled |")
    assert {line.count("|") for line in lines} == {10}
