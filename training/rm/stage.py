"""A reward model: the base with a scoring head, learning which of two answers people prefer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.artefact import BaseIdentity
from training.data.collection import Report
from training.methods import lora, under
from training.models import base, precision, reward_model
from training.recipe import RmRecipe
from training.runs.folder import RunFolder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenizer(recipe: RmRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's."""
    return recipe.base


def model(recipe: RmRecipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The base with its scoring head, all of it to be trained or a low-rank update and the head."""
    plain = reward_model.new(recipe.base, int(tokenizer.pad_token_id), recipe.seed)
    if recipe.method == "full":
        return plain
    adapted = lora.add_scoring(plain, recipe.lora, recipe.seed)
    return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))


def save(recipe: RmRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the reward model's files, a low-rank update merged into the base."""
    reward_model.save(lora.unwrapped(model), tokenizer, folder)


def origin(recipe: RmRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base's identity; a reward model goes on from no other."""
    return base.identify(recipe.base), None
