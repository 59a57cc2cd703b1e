"""The demo's release: its files are there, and its gate bounds all that it measures."""

from __future__ import annotations

import importlib
from pathlib import Path

from pointsman.document import load
from training.evaluation.plan import PARTS
from training.release.recipe import ReleaseRecipe

ROOT = Path(__file__).parents[2]


def test_the_demos_release_is_a_recipe_whose_files_are_there() -> None:
    recipe = load(ReleaseRecipe, ROOT / "deploy" / "demo" / "releases" / "support-60-days.yaml")
    assert recipe.train is not None
    assert (ROOT / recipe.train).is_file()


def test_the_demos_release_asks_for_every_kind_of_row_and_bounds_it() -> None:
    recipe = load(ReleaseRecipe, ROOT / "deploy" / "demo" / "releases" / "support-60-days.yaml")
    asked = {
        f"{part}.{name}": rows for part in PARTS for name, rows in getattr(recipe.evaluation, part).items()
    }
    for rows in asked.values():
        module, _, function = rows.generator.partition(":")
        draw = getattr(importlib.import_module(module), function)
        found = draw(rows=1, seed=recipe.evaluation.seed, **rows.arguments)
        assert len(list(found)) == 1
    texts = recipe.routing["held-out"].read(recipe.evaluation.seed)
    bounded = {row.metric.rpartition(".")[0] for row in recipe.gate}
    assert bounded == {*asked, "routing.held-out"}
    assert {"answers", "loss", "general", "routing"} == {name.partition(".")[0] for name in bounded}
    assert len({row.intent for row in texts}) == 9  # every route, and none
