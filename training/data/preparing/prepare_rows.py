"""From a recipe to token rows, training and validation: what sft learns from, and texts as in cpt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.preparing.collection import Collected, Encoded, Plan, Prepared, Report, Sources, collect
from training.data.preparing.encoding import Tokens, encoded
from training.data.reading import sources, workers
from training.data.rendering import render
from training.data.tokens.token_rows import TokenRows
from training.errors import NothingToLearn
from training.recipe import CptRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenSources(Sources, Protocol):
    """What rows come from, and how long one may be."""

    @property
    def max_tokens(self) -> int: ...


class TokenPlan(Plan, Protocol):
    """What decides token rows."""

    @property
    def data(self) -> TokenSources: ...
    @property
    def stage(self) -> learned.Stage: ...


def prepare(recipe: TokenPlan, tokenizer_folder: Path | str, report: Report) -> Prepared[TokenRows]:
    """The recipe's rows as tokens, shuffled, the last ``validation_rows`` of them kept for evaluation.

    Raises:
        SourceError, BadRows: the data can't be used; BadRows has those of all sources.
        NothingToLearn: no row is left, no token is trained, or no end of turn is.
    """
    encode = partial(
        _encode, folder=str(tokenizer_folder), stage=recipe.stage, max_tokens=recipe.data.max_tokens
    )
    found = collect(recipe, encode, report)
    rows = TokenRows.join(found.parts)
    _refuse_unlearnable(rows, found, recipe)
    return found.parted(rows, recipe)


def sample_texts(recipe: CptRecipe, chat_template: str, rows: int) -> Iterator[str]:
    """Rendered rows to learn a tokenizer from: ``rows`` of them, from each source by its share.

    Raises:
        SourceError, BadRows: as ``prepare``.
    """
    shares = [max(1.0, getattr(source, "rows", rows) * source.weight) for source in recipe.data.sources]
    wanted: list[sources.Part] = []
    for source, share in zip(recipe.data.sources, shares, strict=True):
        left = max(1, round(rows * share / sum(shares)))
        for part in sources.parts(source, recipe.seed):
            if left > 0:
                wanted.append(part)
                left -= part.rows or left
    for _, texts in workers.results(partial(_texts, chat_template=chat_template), wanted):
        yield from texts[: max(1, round(rows / len(wanted)))]


def _texts(part: sources.Part, chat_template: str) -> list[str]:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    template: Any = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), chat_template=chat_template
    )
    return [render.text(template, row) for row in learned.read(part, "cpt")]


def _encode(part: sources.Part, folder: str, stage: learned.Stage, max_tokens: int) -> Encoded[TokenRows]:
    tokenizer = workers.tokenizer(folder)
    rows = learned.read(part, stage)
    render.refuse_ignored_weights(tokenizer, rows)

    def sequences(row: Row) -> list[Tokens] | str:
        ids, mask = render.tokens(tokenizer, row, stage)
        if stage == "sft" and len(ids) > max_tokens:
            return f"longer than max_tokens ({max_tokens})"
        return [(ids, mask)] if any(mask) else "no token to learn"

    return encoded(rows, sequences, ends=_stops(folder, tokenizer))


def _stops(folder: str, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The tokens that end an answer where it is served: the tokenizer's, and the base's own beside them."""
    from transformers import GenerationConfig

    try:
        own = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:  # the base has none
        own = None
    return {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}


def _refuse_unlearnable(rows: TokenRows, found: Collected[TokenRows], recipe: TokenPlan) -> None:
    if not rows.loss_mask.any():
        hint = (
            "do the rows hold what an assistant says?"
            if "no token to learn" in found.dropped
            else "raise data.max_tokens, or give shorter rows"
        )
        raise NothingToLearn(f"no token would be trained ({found.why or 'no rows'}); {hint}")
    if recipe.stage == "sft" and not found.ends_trained:
        raise NothingToLearn(
            "the end of an assistant's turn is never trained, so answers would not stop. The chat template "
            "must close a turn with the base's eos_token, or that of its generation_config.json, and "
            "{% generation %}, where it marks turns so, after it, not before"
        )
