"""What a conversion is measured on: what a run has kept out of its training, as its stage reads it."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.convert.fidelity import LIMIT
from training.convert.route import Convertible
from training.data.preparing.collection import Report
from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows
from training.models import base
from training.online.answers import LocalSampler, stop_tokens
from training.online.prompts import Asked
from training.recipe import OnlineRecipe


def sequences(recipe: Convertible, held_out: Any, own: Any, report: Report) -> TokenRows:
    """What two models are compared on, ``LIMIT`` rows at least where there are as many.

    A conversation as it is, a text cut where training cuts it, of a pair the chosen answer; to a prompt,
    which comes without one, an answer of ``own``, the model that was trained, sampled by the recipe.
    """
    match held_out:
        case PairRows():
            return held_out.chosen
        case LabelledRows():
            return held_out.rows
        case Asked():
            assert isinstance(recipe, OnlineRecipe)
            return _answered(recipe, Asked(held_out[:LIMIT]), own, report)
    assert isinstance(held_out, TokenRows)
    return held_out.cut(recipe.data.max_tokens)


def _answered(recipe: OnlineRecipe, asked: Asked, own: Any, report: Report) -> TokenRows:
    tokenizer = base.load_tokenizer(recipe.base)
    report(f"sampling answers to {len(asked)} held-out prompts")
    sampler = LocalSampler(
        own, recipe.sampling, stop_tokens(own, tokenizer), int(tokenizer.pad_token_id or 0)
    )
    answers = sampler.sample([prompt.ids for prompt in asked], recipe.seed)
    rows = [[*prompt.ids, *answer] for prompt, answer in zip(asked, answers.ids, strict=True)]
    learned = [
        at >= len(prompt.ids) for prompt, row in zip(asked, rows, strict=True) for at in range(len(row))
    ]
    return TokenRows(
        np.array([token for row in rows for token in row], dtype=np.int32),
        np.array(learned, dtype=np.bool_),
        np.array([len(row) for row in rows], dtype=np.int64),
    )
