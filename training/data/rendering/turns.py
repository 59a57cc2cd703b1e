"""Conversations as the base's own chat template renders them, and where in one an answer begins and ends.

The tokens of an answer, apart from those of its prompt, are as serving has them: both come from one rendering
of the whole conversation, cut where the rendering that serving begins from (the prompt, the assistant's turn
opened) ends, token by token. No joined string is tokenised again. What a template writes behind the end of a
turn is cut off, as no answer ever reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from training.data.formats import thoughts
from training.data.formats.conversations import Row
from training.data.rendering import spelled
from training.errors import BadRow, BadRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPANNING = 1  # tokens that may reach from the opened turn into the answer, such as a doubled line end


def rendered(tokenizer: PreTrainedTokenizerBase, row: Row, **how: bool) -> Any:
    """What ``apply_chat_template`` makes of the row, ``how`` being its own switches.

    Raises:
        BadRows: the chat template can't render the row.
    """
    tools = list(row.tools) or None
    try:
        template = tokenizer.get_chat_template(tools=tools)
        messages = [
            thoughts.shown(turn, _thought_key(tokenizer, template, calls=bool(turn.get("tool_calls"))))
            if thoughts.KEY in turn
            else turn
            for turn in row.messages
        ]
        return tokenizer.apply_chat_template(messages, tools=tools, **how)
    except (TemplateError, TypeError) as exc:  # some templates take a call's arguments for a text
        problem = f"the base's chat template can't render it: {exc}"
        raise BadRows([BadRow(row.where, "messages", problem)]) from exc


@lru_cache(maxsize=32)
def _thought_key(tokenizer: PreTrainedTokenizerBase, template: str, *, calls: bool) -> str | None:
    """The key of a thought that ``template`` renders, beside calls or an answer; None where it renders none.

    It is tried: a template may name the key of something else so, such as the type of a part, or drop it.
    """
    thought = "what nobody else says"
    said: dict[str, Any] = {"content": "b"}
    if calls:
        said = {
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}],
        }
    for key in thoughts.KEYS:
        tried = [{"role": "user", "content": "a"}, {"role": "assistant", **said, key: thought}]
        try:
            if thought in str(tokenizer.apply_chat_template(tried, chat_template=template, tokenize=False)):
                return key
        except (TemplateError, TypeError):  # which the row itself will meet too
            continue
    return None


def token_ids(tokenizer: PreTrainedTokenizerBase, row: Row, **how: bool) -> list[int]:
    """Token ids (T) of :func:`rendered`."""
    return tokenised(tokenizer, row, **how)[0]


def tokenised(tokenizer: PreTrainedTokenizerBase, row: Row, **how: bool) -> tuple[list[int], list[int]]:
    """Token ids (T) of :func:`rendered`, and its mask of what the assistant says (T), if ``how`` asks for it.

    Control tokens come from the template alone: one that the row spells is text.

    Raises:
        BadRows: the chat template can't render the row.
    """
    places = None
    if spelled.within(tokenizer, [row.messages, row.tools]):
        row, places = spelled.taken_out(tokenizer, row)
    out = rendered(places.tokenizer if places else tokenizer, row, return_dict=True, **how)
    ids, mask = list(out["input_ids"]), list(out.get("assistant_masks", ()))
    return places.put_back(ids, mask) if places else (ids, mask)


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that the chat template closes an assistant's turn with; None if it closes it with nothing."""
    asked = {"role": "user", "content": "a"}
    one, other = (
        token_ids(tokenizer, Row(messages=(asked, {"role": "assistant", "content": said})))
        for said in ("x", "y")
    )
    same = shared(one[::-1], other[::-1])
    return one[-same] if same else None


def opened_at(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], asked: Row, field: str) -> int:
    """Where in ``ids``, a whole conversation, the answer to ``asked`` begins, as serving would ask for it.

    Raises:
        BadRows: the template renders an answered prompt otherwise than one to answer; ``field`` is its place.
    """
    opened = token_ids(tokenizer, asked, add_generation_prompt=True)
    same = shared(ids, opened)
    if same >= len(opened) - SPANNING:
        return same
    problem = (
        f"the base's chat template renders it otherwise once it is answered (the first {same} of "
        f"{len(opened)} tokens agree), so the trained tokens would not be those that serving asks for; use a "
        "template whose opened turn is the beginning of a closed one"
    )
    raise BadRows([BadRow(asked.where, field, problem)])


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))


def conversation(tokenizer: PreTrainedTokenizerBase, row: Row, end: int | None) -> list[int]:
    """Token ids (T) of the row's messages, up to the ``end_of_turn`` of the last.

    Raises:
        BadRows: the chat template can't render it.
    """
    ids = token_ids(tokenizer, row)
    return ids[: len(ids) - ids[::-1].index(end)] if end in ids else ids


def answered(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[dict[str, Any]],
    answer: dict[str, Any],
    tools: Sequence[dict[str, Any]],
    *,
    end: int | None,
    where: str,
) -> tuple[list[int], int]:
    """Token ids (T) of ``prompt`` with its ``answer``, up to ``end``, and how many of them are the prompt's.

    Raises:
        BadRows: the template can't render it, or renders an answered prompt otherwise than one to answer.
    """
    whole = conversation(tokenizer, Row(messages=(*prompt, answer), tools=tuple(tools), where=where), end)
    asked = Row(messages=tuple(prompt), tools=tuple(tools), where=where)
    return whole, opened_at(tokenizer, whole, asked, "prompt")
