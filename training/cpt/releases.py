"""Releases of layers that a run would end before."""

from __future__ import annotations

from training.errors import NothingToLearn
from training.recipe import CptRecipe


def refuse_late(recipe: CptRecipe, steps: int, *, at_most: bool = False) -> None:
    """Make sure that the run of ``steps`` gets to the last of its releases.

    Raises:
        NothingToLearn: it ends before; ``at_most`` says that ``steps`` is a bound.
    """
    if recipe.unfreeze and recipe.unfreeze[-1].step >= steps:
        after = f"at most {steps}" if at_most else str(steps)
        raise NothingToLearn(
            f"unfreeze.{len(recipe.unfreeze) - 1}: the run ends after {after} steps, so what is released at "
            f"step {recipe.unfreeze[-1].step} would never learn; release it earlier, or train longer"
        )
