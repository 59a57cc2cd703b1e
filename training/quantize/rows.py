"""The rows that a base is calibrated and measured on, as tokens: those that it is served with.

A conversation is rendered by the base's chat template as in sft, a text cut into sequences as in cpt.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.preparing.collection import Encoded, Prepared, Report, collect
from training.data.preparing.encoding import Tokens, encoded
from training.data.reading import sources, workers
from training.data.rendering import render
from training.data.tokens.token_rows import TokenRows
from training.models import logprobs
from training.recipe import QuantizeRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prepared(recipe: QuantizeRecipe, report: Report) -> Prepared[TokenRows]:
    """The recipe's rows, shuffled, ``validation_rows`` of them kept; those to calibrate with come first.

    Raises:
        SourceError, BadRows: the data can't be used.
        NothingToLearn: fewer than two rows are left.
    """
    encode = partial(_encode, folder=recipe.base, max_tokens=recipe.data.max_tokens)
    found = collect(recipe, encode, report)
    rows = found.parted(TokenRows.join(found.parts), recipe)
    return replace(rows, train=rows.train.take(np.arange(min(recipe.data.calibration_rows, len(rows.train)))))


def tokens(tokenizer: PreTrainedTokenizerBase, row: Row) -> Tokens:
    """Token ids (T) of ``row``, and which of them the assistant says (T), all of a text.

    Raises:
        BadRows: the chat template can't render it.
    """
    return render.tokens(tokenizer, row, "sft" if row.text is None else "cpt")


def sequences(rows: TokenRows) -> list[list[int]]:
    """Each row's token ids."""
    return [part.tolist() for part in np.split(rows.ids, np.cumsum(rows.lengths)[:-1])]


def perplexities(model: Any, rows: TokenRows, pad: int) -> dict[str, float]:
    """Perplexity on ``rows``: of all tokens, and of those that the assistant says, where it is marked."""
    found = logprobs.each(model, rows, pad)
    predicted = np.ones(rows.tokens, np.bool_)
    predicted[rows.starts] = False  # nothing predicts a row's first token
    answered = predicted & rows.loss_mask
    perplexity = {"perplexity": math.exp(-float(found[predicted].mean()))}
    if answered.any() and (answered != predicted).any():
        perplexity["answer_perplexity"] = math.exp(-float(found[answered].mean()))
    return perplexity


def _encode(part: sources.Part, folder: str, max_tokens: int) -> Encoded[TokenRows]:
    tokenizer = workers.tokenizer(folder)

    def sequences(row: Row) -> list[Tokens] | str:
        ids, mask = tokens(tokenizer, row)
        if len(ids) > max_tokens and row.text is None:
            return f"longer than max_tokens ({max_tokens})"
        cuts = range(0, len(ids), max_tokens)
        found = [(ids[at : at + max_tokens], mask[at : at + max_tokens]) for at in cuts]
        return found[:-1] if len(found[-1][0]) == 1 else found  # one token alone predicts nothing

    return encoded(learned.read(part, "cpt"), sequences)
