"""The tokens of an answer, apart from those of its prompt, as serving has them.

Both come from one rendering of the whole conversation by the base's own chat template: it is cut where the
rendering that serving begins from (the prompt, the assistant's turn opened) ends, token by token. No joined
string is tokenised again. What a template writes behind the end of a turn is cut off, as no answer ever
reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from training.data.formats import Row
from training.data.render import rendered
from training.errors import BadRow, BadRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPANNING = 1  # tokens that may reach from the opened turn into the answer, such as a doubled line end


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that the chat template closes an assistant's turn with; None if it closes it with nothing."""
    asked = {"role": "user", "content": "a"}
    one, other = (
        _ids(tokenizer, Row(messages=(asked, {"role": "assistant", "content": said}))) for said in ("x", "y")
    )
    same = _shared(one[::-1], other[::-1])
    return one[-same] if same else None


def conversation(tokenizer: PreTrainedTokenizerBase, row: Row, end: int | None) -> list[int]:
    """Token ids (T) of the row's messages, up to the ``end_of_turn`` of the last.

    Raises:
        BadRows: the chat template can't render it.
    """
    ids = _ids(tokenizer, row)
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
    opened = _ids(
        tokenizer, Row(messages=tuple(prompt), tools=tuple(tools), where=where), add_generation_prompt=True
    )
    shared = _shared(whole, opened)
    if shared < len(opened) - SPANNING:
        raise BadRows(
            [
                BadRow(
                    where,
                    "prompt",
                    "the base's chat template renders it otherwise once it is answered (the first "
                    f"{shared} of {len(opened)} tokens agree), so the trained tokens would not be those that "
                    "serving asks for; use a template whose opened turn is the beginning of a closed one",
                )
            ]
        )
    return whole, shared


def _ids(tokenizer: PreTrainedTokenizerBase, row: Row, **how: bool) -> list[int]:
    return list(rendered(tokenizer, row, return_dict=True, **how)["input_ids"])


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
