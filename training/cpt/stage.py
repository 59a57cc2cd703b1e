"""What a run of cpt begins with and what it leaves: tokenizer, model, a base or an adapter.

From a base that exists, or from nothing with a tokenizer of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.artefact import BaseIdentity
from training.cpt import mixture, vocabulary
from training.data.preparing import prepare_rows
from training.data.preparing.collection import Report
from training.errors import SourceError
from training.methods import choice, freeze, lora, under
from training.models import base, precision
from training.models import tokenizer as bpe
from training.recipe import CptRecipe, TokenizerPlan
from training.runs.folder import RunFolder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from training.cpt.unfreezing import Schedule

_EMBEDDINGS = "embeddings.safetensors"  # in a checkpoint


def tokenizer(recipe: CptRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's, or one made now (or before the run was killed)."""
    if recipe.tokenizer is None and recipe.vocabulary is None:
        return recipe.base or ""
    if run.last_checkpoint() is None:  # what another beginning may have left is of other rows
        growing = run.path / "tokenizer.growing"
        for folder in (growing, run.tokenizer):
            shutil.rmtree(folder, ignore_errors=True)
        make_tokenizer(recipe, growing, report)
        growing.rename(run.tokenizer)
    return run.tokenizer


def make_tokenizer(recipe: CptRecipe, folder: Path, report: Report, rows: int | None = None) -> None:
    """Write the recipe's tokenizer, learned from ``rows`` of its rows, to ``folder``; None: the recipe's."""
    if recipe.vocabulary is not None:
        old = base.load_tokenizer(recipe.base or "")
        texts = mixture.training_texts(recipe, rows or recipe.vocabulary.sample_rows, report)
        merges = vocabulary.learn(old, texts, recipe.vocabulary)
        report(f"{len(merges)} pieces learned from {len(texts)} texts, on top of {len(old)} tokens")
        vocabulary.save(old, merges, folder)
    elif recipe.tokenizer is not None:
        plan = recipe.tokenizer
        report(f"training a tokenizer of {plan.vocab_size} tokens on {rows or plan.sample_rows} rows")
        train_tokenizer(recipe, plan, rows or plan.sample_rows).save_pretrained(folder)


def look_for_pieces(recipe: CptRecipe, report: Report) -> bool:
    """As :func:`training.cpt.vocabulary.look` on the texts that the recipe's pieces are learned from.

    Raises:
        BaseError, NothingToLearn: no piece would be learned.
    """
    assert recipe.vocabulary is not None
    texts = mixture.training_texts(recipe, recipe.vocabulary.sample_rows, report)
    return vocabulary.look(base.load_tokenizer(recipe.base or ""), texts, recipe.vocabulary)


def train_tokenizer(recipe: CptRecipe, plan: TokenizerPlan, rows: int) -> PreTrainedTokenizerBase:
    """The tokenizer of a base from nothing, learned from ``rows`` of the recipe's rows."""
    template = chat_template(plan)
    texts = prepare_rows.sample_texts(recipe, template, rows)
    context = recipe.model.context if recipe.model else recipe.data.max_tokens
    return bpe.train(texts, vocab_size=plan.vocab_size, chat_template=template, context=context)


def chat_template(plan: TokenizerPlan) -> str:
    """The text of the Jinja file.

    Raises:
        SourceError: it can't be read.
    """
    try:
        return plan.chat_template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else f"is not UTF-8: {exc}"
        raise SourceError(f"tokenizer.chat_template: {plan.chat_template}: {reason}") from exc


def model(recipe: CptRecipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The model as training begins, every weight marked that will ever learn."""
    if recipe.model is not None:
        return base.new_model(recipe.model, tokenizer, recipe.seed)
    plain = choice.plain_base(recipe)
    if recipe.vocabulary:
        vocabulary.grow(plain, vocabulary.pieces(base.load_tokenizer(recipe.base or ""), tokenizer))
    return learning(recipe, plain)


def learning(recipe: CptRecipe, plain: PreTrainedModel) -> Any:
    """The base ``plain`` with the method's weights ready to learn, all others frozen.

    Raises:
        BaseError: the method does not fit the base.
    """
    if recipe.lora:
        adapted = lora.add(plain, recipe.lora, recipe.seed)
        for weight in _embeddings(adapted).values() if recipe.vocabulary else ():
            weight.requires_grad_(True)
        return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))
    if plan := schedule(recipe, plain):
        freeze.apply(plain, plan.all)
    return plain


def schedule(recipe: CptRecipe, plain: Any) -> Schedule | None:
    """When which weights of ``plain`` learn, where not all do; new tokens do from the start.

    Raises:
        BaseError: the recipe names weights that the base does not have.
    """
    if not recipe.freeze:
        return None
    from training.cpt.unfreezing import Schedule

    return Schedule(recipe, plain, frozenset(_embeddings(plain) if recipe.vocabulary else ()))


def gives_base(recipe: CptRecipe) -> bool:
    """Whether the result is a base; else it is an adapter."""
    return recipe.alias is None


def save(recipe: CptRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the base's files, or the adapter's."""
    if gives_base(recipe):
        base.save(lora.unwrapped(model), tokenizer, folder)
    else:
        lora.save(model, folder, recipe.base or "")


def origin(recipe: CptRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base that this one comes from, if any; it has no parent version."""
    return base.identify(recipe.base) if recipe.base else None, None


def save_embeddings(recipe: CptRecipe, model: Any, folder: Path) -> None:
    """Write the embeddings to a checkpoint where they learn beside an adapter, which is all PEFT writes."""
    if recipe.lora and recipe.vocabulary:
        from safetensors.torch import save_file

        weights = {name: weight.detach().cpu() for name, weight in _embeddings(model).items()}
        save_file(weights, folder / _EMBEDDINGS)


def load_embeddings(recipe: CptRecipe, model: Any, folder: Path) -> None:
    """Read what :func:`save_embeddings` wrote."""
    if recipe.lora and recipe.vocabulary:
        from safetensors.torch import load_file

        weights = _embeddings(model)
        for name, saved in load_file(folder / _EMBEDDINGS).items():
            weights[name].data.copy_(saved)


def _embeddings(model: Any) -> dict[str, Any]:
    """Name → weight of the embedding and the output layer; one of them where they are tied."""
    wanted = (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    return {name: weight for name, weight in model.named_parameters() if any(weight is one for one in wanted)}
