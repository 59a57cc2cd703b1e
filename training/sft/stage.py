"""Supervised fine-tuning: what the assistant says is learned, and nothing of what it is told.

Which weights learn it is the method's matter; an adapter is fresh, or goes on from one of the same base.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.data.preparing.collection import Report
from training.methods import choice, parent
from training.recipe import SftRecipe
from training.runs.folder import RunFolder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

origin = parent.origin


def tokenizer(recipe: SftRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's."""
    return recipe.base


def model(recipe: SftRecipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The base as training begins, with the method's weights ready to learn."""
    return choice.held(recipe, choice.plain_base(recipe))


def save(recipe: SftRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the adapter's files, or the base's."""
    choice.save(recipe, model, tokenizer, folder)
