"""The data of a run of any stage, as the run itself reads it; the router's has a way of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.data.collection import Prepared, Report
from training.online import prompts
from training.quantize import rows
from training.recipe import LearningRecipe, OnlineRecipe, QuantizeRecipe
from training.run import PARTS


def prepared(recipe: LearningRecipe | QuantizeRecipe, tokenizer: Path | str, report: Report) -> Prepared[Any]:
    """The rows as tokens, parted into those to learn from and those to evaluate on.

    Args:
        recipe: whose data it is.
        tokenizer: a folder or hub id; the base's, or the one that the run has made.
        report: is told how far it is.

    Raises:
        SourceError, BadRows, NothingToLearn: as the run would.
    """
    if isinstance(recipe, OnlineRecipe):
        return prompts.prepared(recipe, tokenizer, report)
    if isinstance(recipe, QuantizeRecipe):
        return rows.prepared(recipe, report)
    return PARTS[recipe.stage][1].prepare(recipe, tokenizer, report)
