"""A reward model: the base with a scoring head, learning which of two answers people prefer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.artefact import BaseIdentity
from training.data.preparing.collection import Report
from training.methods import lora, nf4, under
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
    pad = int(tokenizer.pad_token_id)
    if recipe.qlora:
        load = partial(reward_model.new, recipe.base, pad, recipe.seed)
        bf16 = recipe.train.precision != "fp32"
        plain = nf4.quantised(load, recipe.qlora, bf16=bf16, apart=[reward_model.HEAD])
    else:
        plain = reward_model.new(recipe.base, pad, recipe.seed)
    if recipe.method == "full":
        return plain
    adapted = lora.add_scoring(plain, recipe.lora, recipe.seed)
    return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))


def save(recipe: RmRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the reward model's files, a low-rank update merged into the base."""
    whole = served(recipe, model, tokenizer) if recipe.qlora else lora.unwrapped(model)
    reward_model.save(whole, tokenizer, folder)


def served(recipe: RmRecipe, model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """``model`` as it is saved, all rounded to bfloat16: what it has learned in the base's own weights.

    With qlora that is another model than the one that was trained, as the base is in full again.
    """
    whole = model
    if recipe.qlora:
        plain = reward_model.new(recipe.base, int(tokenizer.pad_token_id), recipe.seed)
        whole = lora.merged_into(plain, model).to(model.device).eval()
    lora.settle(whole)
    return whole


def origin(recipe: RmRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base's identity; a reward model goes on from no other."""
    return base.identify(recipe.base), None
