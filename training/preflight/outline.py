"""The model that a recipe trains, without weights: its layers, and which of them learn."""

from __future__ import annotations

from typing import Any

from training.cpt import stage
from training.methods import choice, lora, under
from training.models import base, precision
from training.recipe import CptRecipe, LearningRecipe, OnlineRecipe, RmRecipe, SftRecipe


def of(recipe: LearningRecipe) -> Any:
    """The model without weights, those marked that learn."""
    if isinstance(recipe, SftRecipe):
        return choice.outline(recipe)
    if isinstance(recipe, CptRecipe):
        if recipe.base is not None:
            return stage.learning(recipe, base.load_outline(recipe.base))
        assert recipe.model
        assert recipe.tokenizer
        return base.outline_of(recipe.model, recipe.tokenizer.vocab_size)
    plain = base.load_outline(recipe.base)
    if isinstance(recipe, RmRecipe) and recipe.method == "full":
        return plain
    if not isinstance(recipe, RmRecipe) and recipe.init_adapter is not None:
        adapted = lora.outline(plain, recipe.init_adapter)
    else:
        adapted = lora.add(plain, recipe.lora, recipe.seed)
    is_bf16 = precision.is_policy_bf16 if isinstance(recipe, OnlineRecipe) else precision.is_bf16
    return under.hold(adapted, bf16=is_bf16(recipe.train.precision))
