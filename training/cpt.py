"""Continued pre-training: the base learns every token of its text, and the result is a base again.

From a base that exists, or from nothing with a tokenizer of its own. Documents are packed into blocks and
do not see each other there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.artefact import BaseIdentity
from training import base, prepare
from training import tokenizer as bpe
from training.errors import SourceError
from training.prepare import Prepared, Report
from training.recipe import CptRecipe, TokenizerPlan
from training.runfolder import RunFolder
from training.token_rows import TokenRows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def tokenizer(recipe: CptRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's, or one trained now (or before the run was killed)."""
    if recipe.tokenizer is None or recipe.model is None:
        return recipe.base or ""
    if not (run.tokenizer / "tokenizer_config.json").is_file():
        plan = recipe.tokenizer
        report(f"training a tokenizer of {plan.vocab_size} tokens on {plan.sample_rows} rows")
        train_tokenizer(recipe, plan, plan.sample_rows).save_pretrained(run.tokenizer)
    return run.tokenizer


def train_tokenizer(recipe: CptRecipe, plan: TokenizerPlan, rows: int) -> PreTrainedTokenizerBase:
    """The recipe's tokenizer, learned from ``rows`` of its rows."""
    try:
        template = plan.chat_template.read_text(encoding="utf-8")
    except OSError as exc:
        raise SourceError(f"tokenizer.chat_template: {plan.chat_template}: {exc.strerror}") from exc
    texts = prepare.sample_texts(recipe, template, rows)
    context = recipe.model.context if recipe.model else recipe.data.max_tokens
    return bpe.train(texts, vocab_size=plan.vocab_size, chat_template=template, context=context)


def model(recipe: CptRecipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """The model as training begins."""
    if recipe.model is not None:
        return base.new_model(recipe.model, tokenizer, recipe.seed)
    return base.load_model(recipe.base or "")


def datasets(recipe: CptRecipe, prepared: Prepared[TokenRows]) -> tuple[Any, Any]:
    """Training and validation rows, packed into blocks of ``max_tokens``."""
    from training import trainer

    block = recipe.data.max_tokens
    return trainer.packed(prepared.train, block), trainer.packed(prepared.validation, block)


def save(recipe: CptRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the base's files."""
    base.save(model, tokenizer, folder)


def origin(recipe: CptRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base that this one comes from, if any; it has no parent version."""
    return base.identify(recipe.base) if recipe.base else None, None
