"""The methods of sft: what learns on a base (on which cpt and dpo learn as well), and what of it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import BaseError
from training.methods import freeze, lora, nf4, under, virtual_tokens
from training.models import base, precision
from training.recipe import CptRecipe, DpoRecipe, SftRecipe
from training.recipe.methods import PromptTuning

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BASES = ("full", "freeze")  # methods whose result is a base
PISSA_START = "pissa_start"  # folder in the artefact: where pissa began, which its end is seen from


def plain_base(recipe: SftRecipe | DpoRecipe | CptRecipe) -> Any:
    """The base that the method learns on: in 4 bits for qlora."""
    name = str(recipe.base)
    if recipe.qlora:
        return nf4.load(name, recipe.qlora, bf16=recipe.train.precision != "fp32")
    return base.load_model(name)


def prepared(recipe: SftRecipe, plain: PreTrainedModel) -> Any:
    """The base ``plain`` with the method's weights ready to learn, all others frozen.

    Raises:
        BaseError: the method does not fit the base.
        AdapterError: the adapter to go on from doesn't.
    """
    if plan := recipe.prefix or recipe.p_tuning or recipe.p_tuning_v2 or recipe.prompt_tuning:
        _refuse_no_room(recipe, plain)
        if recipe.prompt_tuning:
            _refuse_cut_text(recipe.prompt_tuning, str(recipe.base))
        return virtual_tokens.add(plain, plan, recipe.seed, recipe.base)
    if recipe.freeze:
        freeze.apply(plain, freeze.chosen(plain, recipe.freeze))
    if not recipe.lora:
        return plain
    if recipe.init_adapter:
        return lora.resume(plain, recipe.init_adapter, recipe.lora)
    match recipe.method:
        case "dora":
            return lora.add(plain, recipe.lora, recipe.seed, use_dora=True)
        case "pissa":
            return lora.add(plain, recipe.lora, recipe.seed, init_lora_weights="pissa")
    return lora.add(plain, recipe.lora, recipe.seed)


def _refuse_cut_text(plan: PromptTuning, folder: str) -> None:
    """Of words to begin with that are more tokens than are learned: PEFT would leave the end out."""
    count = len(base.load_tokenizer(folder)(plan.text)["input_ids"]) if plan.text else 0
    if count > plan.tokens:
        raise BaseError(
            f"prompt_tuning.text is {count:,} tokens by the base's tokenizer, and prompt_tuning.tokens is "
            f"{plan.tokens:,}, so its end would be lost; make tokens {count:,}, or the text shorter"
        )


def _refuse_no_room(recipe: SftRecipe, plain: PreTrainedModel) -> None:
    """Of virtual tokens, which take positions in front of the text."""
    positions = base.positions(plain.config)
    if positions is not None and recipe.virtual and recipe.virtual.tokens >= positions:
        raise BaseError(
            f"{recipe.method}.tokens is {recipe.virtual.tokens:,}, and the base has {positions:,} positions "
            "(max_position_embeddings), so no text fits behind them; take fewer"
        )


def held(recipe: SftRecipe, plain: PreTrainedModel) -> Any:
    """:func:`prepared`, held as it is trained."""
    return under.hold(prepared(recipe, plain), bf16=precision.is_bf16(recipe.train.precision))


def outline(recipe: SftRecipe) -> Any:
    """The same without the base's weights, to be counted.

    Pissa's matrices have the shapes of lora's, but for layers that are narrower than its rank.
    """
    shape = base.load_outline(recipe.base)
    if recipe.init_adapter:
        adapted = lora.outline(shape, recipe.init_adapter)
        return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))
    if recipe.method == "pissa":
        return lora.narrowed(held(recipe.model_copy(update={"method": "lora"}), shape))
    return held(recipe, shape)


def save(recipe: SftRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write what was learned to ``folder``."""
    if recipe.method in BASES:
        base.save(model, tokenizer, folder)
    elif recipe.lora:
        lora.save(model, folder, recipe.base)
        if recipe.method == "pissa":
            start = folder / PISSA_START
            start.mkdir()
            lora.write(lora.matrices(prepared(recipe, plain_base(recipe))), start, recipe.base)
    else:
        virtual_tokens.save(model, folder, recipe.base)


def load(recipe: SftRecipe, folder: Path) -> Any:
    """The model as it was evaluated when its run ended: the artefact in ``folder`` on its base.

    Raises:
        BaseError: the base can't be loaded.
    """
    if recipe.method in BASES:
        return base.load_model(str(folder)).eval()
    return lora.load(plain_base(recipe), folder)
