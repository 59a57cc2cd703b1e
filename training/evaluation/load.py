"""From a plan to parts: all rows are read and rendered, and all that is wrong said, before one is asked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from training import problems
from training.building import questions
from training.data.formats import learned, preferences
from training.data.formats.conversations import Row
from training.data.formats.pair import Labelled, Pair, Unpaired
from training.data.reading import sources
from training.data.rendering import turns
from training.data.row.fields import FieldError
from training.errors import BadRow, BadRows, NothingToLearn, SourceError
from training.evaluation import leaderboard, tokens
from training.evaluation.answers import Answers
from training.evaluation.calls import Calls, Turn, turns_of
from training.evaluation.judged import Judge, Judged
from training.evaluation.judged import Pair as JudgedPair
from training.evaluation.likelihood import Likelihood
from training.evaluation.part import Part
from training.evaluation.plan import HeldOut, Plan
from training.evaluation.preferences import Preferences
from training.recipe import GeneratorSource
from training.served import said

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
R = TypeVar("R")


def load(plan: Plan, tokenizer: PreTrainedTokenizerBase) -> list[Part]:
    """All parts of ``plan``, in its order.

    Raises:
        SourceError: a file or generator that can't be used.
        BadRows: the rows of all parts that don't fit.
        NothingToLearn: a part is left without anything to measure.
        PackageMissing: lm_eval is asked for and not installed.
    """
    bad: list[BadRow] = []
    parts: list[Part] = [
        *_likelihoods(plan, tokenizer, bad),
        *_calls(plan, bad),
        *_preferences(plan, tokenizer, bad),
        *_answers(plan, bad),
        *_judged(plan, bad),
    ]
    if bad:
        raise BadRows(bad)
    for part in parts:
        if not part.requests:
            why = "; ".join(f"{count} rows: {reason}" for reason, count in part.dropped.items())
            raise NothingToLearn(f"{part.name}: no row is left to measure ({why})")
    if plan.lm_eval:
        from training.evaluation import harness  # optional

        parts.append(harness.load(plan.lm_eval, tokenizer, plan.max_tokens))
    return parts


def look(plan: Plan) -> None:
    """Read all rows of ``plan`` by their form alone, without the tokenizer that :func:`load` cuts them by.

    Raises:
        SourceError: a file or generator that can't be used; NotReady: several.
        BadRows: the rows of all parts that don't fit.
    """
    bad: list[BadRow] = []
    looks: list[Callable[[], object]] = [
        partial(_read, held, plan.seed, bad)
        for kind in ("loss", "general")
        for held in getattr(plan, kind).values()
    ]
    looks += [partial(_first, held, plan.seed, bad, preferences.read) for held in plan.preferences.values()]
    looks += [partial(list, part(plan, bad)) for part in (_calls, _answers, _judged)]
    found = problems.collected(*looks)
    problems.refuse([*found, *([BadRows(bad)] if bad else [])])


def _likelihoods(plan: Plan, tokenizer: PreTrainedTokenizerBase, bad: list[BadRow]) -> Iterator[Part]:
    for kind in ("loss", "general"):
        for name, held in getattr(plan, kind).items():
            kept, dropped = _kept(
                _read(held, plan.seed, bad),
                lambda row: tokens.of_row(tokenizer, row),
                lambda made: _unfit([made], plan.max_tokens),
                bad,
            )
            yield Likelihood(f"{kind}.{name}", kept, dropped)


def _calls(plan: Plan, bad: list[BadRow]) -> Iterator[Part]:
    for name, tools in plan.tools.items():
        if (board := tools.leaderboard) is not None:
            answers = tools.answers if isinstance(tools.answers, Path) else None
            found: list[Turn] = []
            try:
                found = leaderboard.turns(board, answers, tools.rows)
            except BadRows as exc:
                bad += exc.rows
            yield Calls(f"tools.{name}", found, {}, tools.max_new_tokens)
            continue
        asked, dropped = _kept(_read(tools, plan.seed, bad), _turns, _nothing_asked, bad)
        yield Calls(f"tools.{name}", [t for some in asked for t in some], dropped, tools.max_new_tokens)


def _preferences(plan: Plan, tokenizer: PreTrainedTokenizerBase, bad: list[BadRow]) -> Iterator[Part]:
    end = turns.end_of_turn(tokenizer) if plan.preferences else None

    def of_pair(row: Pair | Labelled) -> tuple[tokens.Tokens, tokens.Tokens]:
        if isinstance(row, Labelled):
            raise FieldError("label", "one answer can't be compared; give chosen and rejected")
        return tokens.of_pair(tokenizer, row, end)

    for name, held in plan.preferences.items():
        found = _first(held, plan.seed, bad, preferences.read)
        pairs = [row for row in found if not isinstance(row, Unpaired)]
        none = Counter(row.why for row in found if isinstance(row, Unpaired))
        both, dropped = _kept(pairs, of_pair, lambda made: _unfit(made, plan.max_tokens), bad)
        yield Preferences(f"preferences.{name}", both, {**none, **dropped})


def _answers(plan: Plan, bad: list[BadRow]) -> Iterator[Part]:
    for name, asked_of in plan.answers.items():
        try:
            found = questions.read([asked_of.source], plan.seed)
        except BadRows as exc:
            bad += exc.rows
        else:
            yield Answers(f"answers.{name}", found, asked_of.max_new_tokens)


def _judged(plan: Plan, bad: list[BadRow]) -> Iterator[Part]:
    for name, beside in plan.judged.items():
        pairs, dropped = _kept(_read(beside, plan.seed, bad), _pair, lambda pair: "", bad)
        told = beside.judge
        key = None if told.key is None else os.environ.get(told.key)
        if told.key is not None and not key:
            raise SourceError(f"judged.{name}.judge.key: the environment has no {told.key}")
        judge = Judge(told.url, told.model, key, told.criteria, told.max_new_tokens)
        yield Judged(f"judged.{name}", pairs, judge, beside.max_new_tokens, dropped)


def _pair(row: Row) -> JudgedPair:
    last = row.messages[-1] if row.messages else {"role": ""}
    reference = said.parted(last).text if last["role"] == "assistant" else ""
    if not reference:
        raise FieldError("messages", "must end with an answer of the assistant, the reference")
    return JudgedPair(row.where, row.messages[:-1], reference)


def _read(held: HeldOut, seed: int, bad: list[BadRow]) -> list[Row]:
    return _first(held, seed, bad, partial(learned.read, stage="cpt"))


def _first(
    held: HeldOut, seed: int, bad: list[BadRow], read: Callable[[sources.Part], Sequence[R]]
) -> list[R]:
    """The rows wanted, read as one part, so that a generator's are the same for the same number of rows."""
    source = held.source
    part = sources.Part(source, seed, 0, held.rows if isinstance(source, GeneratorSource) else None)
    try:
        return list(read(part)[: held.rows])
    except BadRows as exc:
        bad += exc.rows
        return []


def _kept(
    rows: Iterable[R], make: Callable[[R], T], unfit: Callable[[T], str], bad: list[BadRow]
) -> tuple[list[T], Mapping[str, int]]:
    """What ``make`` makes of the rows, without those that are ``unfit``, which are counted by why."""
    kept: list[T] = []
    dropped: dict[str, int] = {}
    for row in rows:
        try:
            made = make(row)
        except BadRows as exc:
            bad += exc.rows
            continue
        except FieldError as exc:
            bad.append(BadRow(getattr(row, "where", ""), exc.field, exc.problem))
            continue
        if why := unfit(made):
            dropped[why] = dropped.get(why, 0) + 1
        else:
            kept.append(made)
    return kept, dropped


def _unfit(made: Iterable[tokens.Tokens], max_tokens: int) -> str:
    sequences = list(made)
    if max(len(one.ids) for one in sequences) > max_tokens:
        return f"longer than max_tokens ({max_tokens})"
    if not all(one.count for one in sequences):
        return "nothing to measure: no assistant speaks"
    return ""


def _turns(row: Row) -> list[Turn]:
    return turns_of(row) if row.tools and row.messages else []


def _nothing_asked(made: list[Turn]) -> str:
    return "" if made else "no tools, or no turn of an assistant"
