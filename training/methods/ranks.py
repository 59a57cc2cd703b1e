"""Ranks that vLLM serves."""

from __future__ import annotations

from pointsman import artefact
from training.errors import AdapterError
from training.methods import lora
from training.recipe import CptRecipe, LearningRecipe, RmRecipe, SftRecipe


def refuse_unserved(recipe: LearningRecipe) -> None:
    """Refuse the rank of an adapter that is to be served as it is, or as the exact LoRA that pissa's becomes.

    Raises:
        AdapterError: it is larger than those that vLLM serves.
    """
    plan = recipe.lora
    if plan is None or isinstance(recipe, RmRecipe) or (isinstance(recipe, CptRecipe) and not recipe.alias):
        return
    most = lora.LARGEST_RANK
    if isinstance(recipe, SftRecipe) and recipe.method == "pissa" and plan.rank > most // 2:
        raise AdapterError(
            f"lora.rank is {plan.rank}: as an exact LoRA pissa's has twice the rank, and vLLM serves ranks "
            f"up to {most}; take {most // 2} or less"
        )
    if isinstance(recipe, SftRecipe) and recipe.method not in artefact.SERVED:
        return
    if large := [f"{key} is {rank}" for key, rank in lora.ranks(plan).items() if rank > most]:
        raise AdapterError(f"{', '.join(large)}: vLLM serves ranks up to {most}; take a lower one")
