"""How many prompts a step of grpo asks."""

from __future__ import annotations

from training.errors import NothingToLearn
from training.recipe import GrpoRecipe


def refuse_too_few(recipe: GrpoRecipe, prompts: int) -> None:
    """Make sure that ``prompts`` are enough for a step.

    Raises:
        NothingToLearn: they are fewer.
    """
    asked = recipe.train.batch_rows * recipe.train.accumulate // recipe.generations
    if prompts < asked:
        raise NothingToLearn(
            f"a step asks {asked} prompts (train.batch_rows × train.accumulate / generations), and there "
            f"are {prompts}; give more, or lower train.batch_rows"
        )
