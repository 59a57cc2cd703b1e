"""Direct preference optimisation and its kin: a LoRA adapter makes better answers likelier than worse ones.

Fresh, with the plain base as the reference; or going on from an adapter, which is then the reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.data.preparing.collection import Report
from training.methods import choice, lora, parent, under
from training.models import precision
from training.recipe import DpoRecipe
from training.runs.folder import RunFolder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

origin = parent.origin


def tokenizer(recipe: DpoRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's."""
    return recipe.base


def model(recipe: DpoRecipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The base with its adapter as training begins."""
    plain = choice.plain_base(recipe)
    if recipe.init_adapter is None:
        adapted = lora.add(plain, recipe.lora, recipe.seed)
    else:
        adapted = lora.resume(plain, recipe.init_adapter, recipe.lora)
    return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))


def save(recipe: DpoRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the adapter's files."""
    lora.save(model, folder, recipe.base)
