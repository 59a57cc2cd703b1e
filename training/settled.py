"""A recipe with what it leaves to the adapter that it goes on from, and to its base."""

from __future__ import annotations

from typing import TypeVar, cast

from training.errors import BaseError
from training.methods import inheritance
from training.models import base
from training.recipe import OnlineRecipe, Recipe

R = TypeVar("R", bound=Recipe)


def settled(recipe: R) -> R:
    """Filled in, as it is trained and kept.

    Raises:
        AdapterError: the adapter to go on from can't be, or is of another shape than it says.
    """
    return fitted(inheritance.inherited(recipe))


def fitted(recipe: R) -> R:
    """``recipe`` with prompts that fit the base's positions beside an answer, where it says no length itself.

    What can't be said of the base is left to those who load it.
    """
    if not isinstance(recipe, OnlineRecipe) or (left := _left(recipe)) is None:
        return recipe
    return cast("R", recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_tokens": left})}))


def _left(recipe: OnlineRecipe) -> int | None:
    """Tokens that a prompt may have; None where it is what the recipe says."""
    if "max_tokens" in recipe.data.model_fields_set:
        return None
    try:
        positions = base.positions(base.load_config(recipe.base))
    except BaseError:
        return None
    if positions is None:
        return None
    left = positions - recipe.sampling.max_new_tokens
    return left if 0 < left < recipe.data.max_tokens else None
