"""From a recipe's preferences to token rows; as ``prepare_rows``, for rm and dpo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training import problems
from training.data.formats import preferences
from training.data.formats.pair import Labelled, Pair, Preference, Unpaired
from training.data.preparing.collection import Collected, Encoded, Prepared, Report, RowsT, collect
from training.data.reading import sources, workers
from training.data.rendering import turns
from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows
from training.errors import BadRow, BadRows, NothingToLearn
from training.recipe import StageRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SAME = "chosen and rejected are the same"
Tokens = tuple[list[int], int]  # a prompt with its answer, and how many of them are the prompt's


def pairs(recipe: StageRecipe, tokenizer_folder: Path | str, report: Report) -> Prepared[PairRows]:
    """The recipe's pairs as tokens, shuffled, the last ``validation_rows`` of them kept for evaluation.

    Raises:
        SourceError, BadRows: the data can't be used.
        NothingToLearn: no pair is left that differs, or no answer of one ends its turn.
    """
    encode = partial(_encode_pairs, folder=str(tokenizer_folder), max_tokens=recipe.data.max_tokens)
    found = collect(recipe, encode, report)
    rows = PairRows.join(found.parts)
    _refuse_unlearnable(rows, found)
    return found.parted(rows, recipe)


def labelled(recipe: StageRecipe, tokenizer_folder: Path | str, report: Report) -> Prepared[LabelledRows]:
    """The recipe's labelled answers as tokens; a pair is a good one and a bad one. Raises as ``pairs``."""
    encode = partial(_encode_labelled, folder=str(tokenizer_folder), max_tokens=recipe.data.max_tokens)
    found = collect(recipe, encode, report)
    rows = LabelledRows.join(found.parts)
    _refuse_unlearnable(rows, found)
    return found.parted(rows, recipe)


def answers(row: Preference) -> dict[str, dict[str, Any]]:
    """The row's answers by what they are: chosen and rejected, or good, or bad; none of what is no pair."""
    if isinstance(row, Unpaired):
        return {}
    if isinstance(row, Pair):
        return {"chosen": row.chosen, "rejected": row.rejected}
    return {"good" if row.good else "bad": row.completion}


def _refuse_unlearnable(rows: RowsT, found: Collected[RowsT]) -> None:
    if not len(rows):
        hint = (
            "give pairs of different answers"
            if SAME in found.dropped
            else "raise data.max_tokens, or give shorter rows"
        )
        raise NothingToLearn(f"no answer would be trained ({found.why}); {hint}")
    if not found.ends_trained:
        raise NothingToLearn(
            "the end of an assistant's turn is never trained, so answers would not stop: the base's chat "
            "template closes an assistant's turn with nothing"
        )


@dataclass(frozen=True, slots=True)
class _Answered:
    """The rows of a part that are kept, each with the tokens of its answers by what they are."""

    rows: list[tuple[Preference, dict[str, Tokens]]]
    digest: str
    dropped: dict[str, int]


def _encode_pairs(part: sources.Part, folder: str, max_tokens: int) -> Encoded[PairRows]:
    tokenizer = workers.tokenizer(folder)
    end = turns.end_of_turn(tokenizer)
    found = _answered(part, tokenizer, max_tokens, end, paired=True)
    # One prompt for both, where a token spans from it into one answer.
    asked = [min(count for _, count in answered.values()) for _, answered in found.rows]
    chosen, rejected = (
        _joined([(answered[which][0], at) for (_, answered), at in zip(found.rows, asked, strict=True)])
        for which in ("chosen", "rejected")
    )
    margins = [row.margin for row, _ in found.rows if isinstance(row, Pair)]
    given = np.array([np.nan if margin is None else margin for margin in margins], dtype=np.float64)
    ends = _ends(chosen, end) + _ends(rejected, end)
    return Encoded(PairRows(chosen, rejected, given), found.digest, found.dropped, ends)


def _encode_labelled(part: sources.Part, folder: str, max_tokens: int) -> Encoded[LabelledRows]:
    tokenizer = workers.tokenizer(folder)
    end = turns.end_of_turn(tokenizer)
    found = _answered(part, tokenizer, max_tokens, end, paired=False)
    rows = _joined([tokens for _, answered in found.rows for tokens in answered.values()])
    good = np.array(
        [which in ("chosen", "good") for _, answered in found.rows for which in answered], np.bool_
    )
    return Encoded(LabelledRows(rows, good), found.digest, found.dropped, _ends(rows, end))


def _answered(
    part: sources.Part, tokenizer: PreTrainedTokenizerBase, max_tokens: int, end: int | None, *, paired: bool
) -> _Answered:
    def of_row(row: Preference) -> dict[str, Tokens]:
        if paired and isinstance(row, Labelled):
            problem = "is for dpo with the loss kto; give chosen and rejected"
            raise BadRows([BadRow(row.where, "label", problem)])
        if isinstance(row, Unpaired):
            return {}
        return {which: tokens(tokenizer, row, which, end) for which in answers(row)}

    rows = preferences.read(part)
    kept: list[tuple[Preference, dict[str, Tokens]]] = []
    dropped: dict[str, int] = {}
    for row, answered in zip(rows, problems.each(rows, of_row), strict=True):
        if (
            why := row.why
            if isinstance(row, Unpaired)
            else _unfit([ids for ids, _ in answered.values()], max_tokens)
        ):
            dropped[why] = dropped.get(why, 0) + 1
        else:
            kept.append((row, answered))
    return _Answered(kept, sources.digest(rows), dropped)


def tokens(tokenizer: PreTrainedTokenizerBase, row: Pair | Labelled, which: str, end: int | None) -> Tokens:
    """The prompt of ``row`` with one of its ``answers``; raises BadRows as ``turns.answered`` does."""
    return turns.answered(tokenizer, row.prompt, answers(row)[which], row.tools, end=end, where=row.where)


def _unfit(ids: list[list[int]], max_tokens: int) -> str:
    """Why a row of these answers is dropped, if it is."""
    if max(map(len, ids)) > max_tokens:
        return f"longer than max_tokens ({max_tokens})"
    if len(ids) == 2 and ids[0] == ids[1]:
        return SAME
    return ""


def _joined(rows: list[Tokens]) -> TokenRows:
    lengths = np.array([len(ids) for ids, _ in rows], dtype=np.int64)
    mask = [position >= asked for ids, asked in rows for position in range(len(ids))]
    return TokenRows(
        np.array([token for ids, _ in rows for token in ids], dtype=np.int32),
        np.array(mask, dtype=np.bool_),
        lengths,
    )


def _ends(rows: TokenRows, end: int | None) -> int:
    return 0 if end is None else int(((rows.ids == end) & rows.loss_mask).sum())
