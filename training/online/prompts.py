"""Prompts as token ids, rendered by the base's chat template as serving does, with their rows' columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training import problems
from training.data.formats import bfcl, conversations, transcripts
from training.data.formats.conversations import Row
from training.data.preparing.collection import Encoded, Prepared, Report, collect
from training.data.reading import sources, workers
from training.data.rendering import turns
from training.data.row.fields import FieldError, found
from training.data.row.form import ASKED, Form
from training.errors import NothingToLearn
from training.recipe import Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, Any]
_READ = ("system", "tools")  # beside a prompt; all else is the rewards'


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked once."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    columns: dict[str, Any]  # what else its row says, for the rewards
    ids: tuple[int, ...] = ()  # up to where the assistant begins to write
    where: str = field(default="", compare=False)  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The row's bytes, the same for the same content; what data hashes are made of."""
        content = [self.messages, self.tools, self.columns]
        return json.dumps(content, ensure_ascii=False, sort_keys=True, default=str).encode()


class Asked(list[Prompt]):
    """Prompts as rows of tokens, none of which is trained on."""

    @property
    def tokens(self) -> int:
        return sum(len(prompt.ids) for prompt in self)

    @property
    def trained(self) -> int:
        return 0

    @property
    def longest(self) -> int:
        """Tokens of the longest one."""
        return max(len(prompt.ids) for prompt in self)

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each prompt, the same of the same prompts, (rows,)."""
        seen: dict[tuple[int, ...], int] = {}
        return np.array([seen.setdefault(prompt.ids, len(seen)) for prompt in self], np.int64)

    def take(self, rows: NDArray[np.int64]) -> Asked:
        return Asked(self[row] for row in rows)


class Plan(Protocol):
    """What decides which prompts there are: the recipe of ppo or grpo."""

    @property
    def data(self) -> Prompts: ...
    @property
    def seed(self) -> int: ...


def prepared(plan: Plan, tokenizer_folder: Path | str, report: Report) -> Prepared[Asked]:
    """All prompts, shuffled, ``validation_rows`` of them kept out of training.

    Raises:
        SourceError, BadRows: the data can't be used; BadRows has those of all sources.
        NothingToLearn: fewer than two prompts are left, or the weights leave none.
    """
    longest = plan.data.max_tokens
    found = collect(plan, partial(_encode, folder=str(tokenizer_folder), max_tokens=longest), report)
    rows = Asked(prompt for part in found.parts for prompt in part)
    if len(rows) < 2:
        raise NothingToLearn(
            f"{len(rows)} prompts are left ({sum(found.dropped.values())} longer than data.max_tokens, "
            f"{longest}); at least two are needed, one to learn from and one to evaluate on"
        )
    return found.parted(rows, plan)


def _encode(part: sources.Part, folder: str, max_tokens: int) -> Encoded[Asked]:
    tokenizer = workers.tokenizer(folder)
    rows = read(part)
    made = problems.each(rows, partial(rendered, tokenizer))
    kept = Asked(prompt for prompt in made if len(prompt.ids) <= max_tokens)
    longer = len(made) - len(kept)
    dropped = {f"prompt longer than max_tokens ({max_tokens})": longer} if longer else {}
    return Encoded(kept, sources.digest(rows), dropped, 0)


def read(part: sources.Part) -> list[Prompt]:
    """The rows of ``part``, not rendered yet; raises as :func:`training.data.reading.sources.read` does."""
    return sources.read(part, FORMS, FORMS["prompt"])


def _prompt(raw: dict[str, Any]) -> Prompt:
    given = raw.get("prompt")
    if isinstance(given, str):
        given = transcripts.asked(given, "prompt") or [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise FieldError("prompt", f"must be a text or a list of messages; {found(raw, 'prompt')}")
    try:
        row = conversations.messages({**{key: raw.get(key) for key in _READ}, "messages": given})
    except FieldError as exc:
        raise FieldError(exc.field.replace("messages", "prompt", 1), exc.problem) from None
    if row.messages[-1]["role"] == "assistant":
        raise FieldError("prompt", "ends with an assistant's message; the answer to it can't be sampled")
    if taken := next((key for key in ("prompts", "completions") if key in raw), None):
        raise FieldError(
            taken,
            "is what rewards are called with beside the row's columns; call it otherwise, as by a file's "
            f"`columns: {{my_{taken}: {taken}}}`",
        )
    more = {key: value for key, value in raw.items() if key not in ("prompt", *_READ)}
    return Prompt(row.messages, row.tools, more)


def _cut(raw: dict[str, Any], form: Form[Row]) -> Prompt:
    """The conversation up to its last answer, which becomes the column ``answer``."""
    row = form.read(raw)
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


FORMS: dict[str, Form[Prompt]] = {
    "prompt": Form(_prompt, ("prompt",), _READ, {"prompt": ASKED}, any_other=True),
    **{
        name: form.by(partial(_cut, form=form))
        for name, form in {**conversations.FORMS, "bfcl": bfcl.FORM}.items()
        if name not in ("text", "prompt_completion")  # whose prompts `prompt` reads
    },
}


def rendered(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> Prompt:
    """``prompt`` with its token ids.

    Raises:
        BadRows: the chat template can't render it.
    """
    row = Row(messages=prompt.messages, tools=prompt.tools, where=prompt.where)
    ids = turns.token_ids(tokenizer, row, add_generation_prompt=True)
    return replace(prompt, ids=tuple(ids))


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
