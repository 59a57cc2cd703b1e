"""What was read of a recipe's data, in words: said as a run begins, by ``check`` and by ``data preview``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.data.preparing.collection import Prepared
from training.recipe import CptRecipe, LearningRecipe, OnlineRecipe, QuantizeRecipe, Vocabulary


def lines(recipe: LearningRecipe | QuantizeRecipe, prepared: Prepared[Any]) -> list[str]:
    """Why how many rows were dropped, a line each, and how many are left; and whether fewer than asked are
    held out, or such as are learned too.
    """
    rows, kept = prepared.train, prepared.validation
    if isinstance(recipe, OnlineRecipe):
        left = f"{len(rows):,} prompts to learn from, {len(kept):,} to evaluate on"
    elif isinstance(recipe, QuantizeRecipe):
        left = (
            f"{len(rows):,} rows to calibrate with ({rows.tokens:,} tokens), {len(kept):,} to measure on "
            f"({kept.tokens:,} tokens)"
        )
    else:
        left = (
            f"{len(rows):,} rows to train on ({rows.tokens:,} tokens, {rows.trained:,} of them trained), "
            f"{len(kept):,} to evaluate on"
        )
    return [*dropped(prepared.dropped), left + _fewer(recipe, len(kept)), *_learned_too(prepared)]


def dropped(counts: Mapping[str, int]) -> list[str]:
    """Why how many rows are dropped, a line each."""
    return [f"dropped {count} rows: {why}" for why, count in counts.items()]


def uncounted(plan: Vocabulary) -> str:
    """What a run that adds pieces by ``plan`` does otherwise than it is counted before."""
    return (
        f"vocabulary: up to {plan.pieces:,} pieces are added as the run begins, and are not counted here: "
        "with them it reads fewer tokens, and the base has a row of embeddings more for each"
    )


def _learned_too(prepared: Prepared[Any]) -> list[str]:
    if not prepared.learned_too:
        return []
    return [
        f"warning: {prepared.learned_too:,} of the rows to evaluate on are learned too, as the data have "
        "equal ones, or several answers to one prompt; they say nothing of other rows"
    ]


def _fewer(recipe: LearningRecipe | QuantizeRecipe, kept: int) -> str:
    """Why less is held out than the recipe asks for; "" where it is not."""
    wanted, of = recipe.data.validation_rows, "the rows at most, equal ones together"
    if isinstance(recipe, CptRecipe):
        sources = len(recipe.data.sources)
        wanted, of = (
            wanted // sources * sources,
            "each source at most",
        )  # which all have the same share of them
    if kept >= wanted:
        return ""
    return f" (half of {of}, and data.validation_rows is {recipe.data.validation_rows:,})"
