"""Prompts as token ids, rendered by the base's chat template as serving does, with their rows' columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data import bfcl, collection, reading, sources, transcripts, turns
from training.data.columns import check, hint, renamed
from training.data.fields import FieldError, found
from training.data.formats import READERS, Row
from training.errors import BadRow, BadRows, NothingToLearn, SourceError
from training.recipe import GeneratorSource, Prompts, PromptSource

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked once."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    columns: dict[str, Any]  # what else its row says, for the rewards
    ids: tuple[int, ...] = ()  # up to where the assistant begins to write


@dataclass(frozen=True, slots=True)
class PreparedPrompts:
    """What a run asks."""

    train: list[Prompt]
    validation: list[Prompt]
    hashes: dict[str, str]  # source → sha256 of its rows
    dropped: dict[str, int]  # why → rows

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt that is learned from."""
        return max(len(prompt.ids) for prompt in self.train)


def prepared(plan: Prompts, tokenizer: PreTrainedTokenizerBase, seed: int) -> PreparedPrompts:
    """All prompts, shuffled, ``validation_rows`` of them kept out of training.

    Raises:
        SourceError, BadRows: the data can't be used; BadRows has those of all sources.
        NothingToLearn: fewer than two prompts are left.
    """
    kept: list[Prompt] = []
    weights: list[float] = []
    hashes: dict[str, str] = {}
    bad: list[BadRow] = []
    dropped = 0
    for source in plan.sources:
        digest = hashlib.sha256()
        for where, raw in rows(source, seed):
            try:
                prompt = of_row(tokenizer, source, where, raw)
            except BadRows as exc:
                bad += exc.rows
                continue
            digest.update(_canonical(prompt) + b"\n")
            if len(prompt.ids) > plan.max_tokens:
                dropped += 1
            else:
                kept.append(prompt)
                weights.append(source.weight)
        hashes[source.label] = digest.hexdigest()
    if bad:
        raise BadRows(bad)
    reasons = {f"prompt longer than max_tokens ({plan.max_tokens})": dropped} if dropped else {}
    if len(kept) < 2:
        raise NothingToLearn(
            f"{len(kept)} prompts are left ({dropped} longer than data.max_tokens, {plan.max_tokens}); at "
            "least two are needed, one to learn from and one to evaluate on"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(kept))
    held_out = min(plan.validation_rows, len(kept) // 2)
    train = collection.repeat(order[held_out:], np.array(weights), rng)
    if not len(train):
        raise NothingToLearn("the weights of the sources leave no prompt to train on; raise one")
    return PreparedPrompts([kept[i] for i in train], [kept[i] for i in order[:held_out]], hashes, reasons)


def rows(source: PromptSource, seed: int) -> Iterator[tuple[str, Any]]:
    """Where each row of ``source`` stands, and what it holds.

    Raises:
        SourceError: there is no such file or generator, or it gives nothing.
    """
    none = True
    if isinstance(source, GeneratorSource):
        for part in sources.parts(source, seed):
            for row in sources.from_generator(source, part):
                none = False
                yield row
    else:
        check(source.columns, source.format, source.label)
        for row in reading.from_file(source.path):
            none = False
            yield row
    if none:
        raise SourceError(f"{source.label} holds no rows")


def of_row(tokenizer: PreTrainedTokenizerBase, source: PromptSource, where: str, raw: Any) -> Prompt:
    """The prompt in one of the :func:`rows` of ``source``, with its token ids.

    Raises:
        BadRows: it does not fit the source's format, or the chat template can't render it.
    """
    return rendered(tokenizer, parsed(source, where, raw), where)


def parsed(source: PromptSource, where: str, raw: Any) -> Prompt:
    """The prompt in one of the :func:`rows` of ``source``, not rendered yet.

    Raises:
        BadRows: it does not fit the source's format.
    """
    try:
        return read(raw, source)
    except FieldError as exc:
        form = "prompt" if isinstance(source, GeneratorSource) else source.format
        raise BadRows([BadRow(where, exc.field, exc.problem + hint(raw, form, exc.field))]) from None


def read(raw: Any, source: PromptSource) -> Prompt:
    """The prompt in one row, not rendered yet.

    Raises:
        FieldError: the row does not fit the source's format.
        BadRows: it is no JSON.
    """
    if isinstance(raw, BadRow):
        raise BadRows([raw])
    columns, form = ({}, "prompt") if isinstance(source, GeneratorSource) else (source.columns, source.format)
    raw = renamed(raw, columns, form)
    if form != "prompt":
        return _cut(bfcl.question(raw) if form == "bfcl" else READERS[form](raw))
    given = raw.get("prompt")
    if isinstance(given, str):
        given = transcripts.asked(given, "prompt") or [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise FieldError("prompt", f"must be a text or a list of messages; {found(raw, 'prompt')}")
    try:
        row = READERS["messages"]({"messages": given, "tools": raw.get("tools")})
    except FieldError as exc:
        raise FieldError(exc.field.replace("messages", "prompt", 1), exc.problem) from None
    if row.messages[-1]["role"] == "assistant":
        raise FieldError("prompt", "ends with an assistant's message; the answer to it can't be sampled")
    if taken := next((key for key in ("prompts", "completions") if key in raw), None):
        raise FieldError(
            taken,
            "is what rewards are called with beside the row's columns; call it otherwise, as by the source's "
            f"`columns: {{my_{taken}: {taken}}}`",
        )
    more = {key: value for key, value in raw.items() if key not in ("prompt", "tools")}
    return Prompt(row.messages, row.tools, more)


def rendered(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, where: str) -> Prompt:
    """``prompt`` with its token ids; ``where`` names its row in the error.

    Raises:
        BadRows: the chat template can't render it.
    """
    row = Row(messages=prompt.messages, tools=prompt.tools, where=where)
    ids = turns.token_ids(tokenizer, row, add_generation_prompt=True)
    return Prompt(prompt.messages, prompt.tools, prompt.columns, tuple(ids))


def of_step(prompts: Sequence[Prompt], count: int, step: int, seed: int) -> list[Prompt]:
    """The ``count`` prompts of a step (from 1): pass after pass over all, each in an order of its own.

    Which they are depends on step and seed alone, so a resumed run asks what it would have asked.
    """
    first = (step - 1) * count
    orders: dict[int, Any] = {}
    chosen = []
    for at in range(first, first + count):
        epoch, place = divmod(at, len(prompts))
        if epoch not in orders:
            orders[epoch] = np.random.default_rng((seed, epoch)).permutation(len(prompts))
        chosen.append(prompts[orders[epoch][place]])
    return chosen


def _cut(row: Row) -> Prompt:
    """The conversation up to its last answer, which becomes the column ``answer``."""
    turns = row.messages
    if not turns:
        raise FieldError("text", "a text has no turns, so there is nothing to answer")
    columns: dict[str, Any] = {}
    if turns[-1]["role"] == "assistant":
        columns["answer"] = turns[-1].get("content") or ""
        turns = turns[:-1]
    if not turns or turns[-1]["role"] == "assistant":
        raise FieldError("messages", "hold no question before the last answer")
    return Prompt(turns, row.tools, columns)


def _canonical(prompt: Prompt) -> bytes:
    content = [prompt.messages, prompt.tools, prompt.columns]
    return json.dumps(content, ensure_ascii=False, sort_keys=True, default=str).encode()
