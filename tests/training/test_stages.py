"""The table of stages has all that a recipe may ask for."""

from __future__ import annotations

from typing import get_args

from training import recipe as recipes
from training import stages


def test_every_recipe_has_a_stage() -> None:
    assert stages.STAGES.keys() == recipes.STAGES.keys()


def test_all_but_the_router_read_rows_that_become_tokens() -> None:
    reading = {name for name, stage in stages.STAGES.items() if stage.rows}
    as_tokens = get_args(recipes.LearningRecipe | recipes.QuantizeRecipe)
    assert reading == {name for name, form in recipes.STAGES.items() if form in as_tokens}
