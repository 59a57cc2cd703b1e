"""What an assistant thinks before it speaks, under whichever key a file has it beside ``content``.

It is rendered as the base's chat template renders thoughts. One that knows none of the keys would leave them
out, and so they stand in ``<think>`` before what is said, where the chain ``cot`` looks for them.
"""

from __future__ import annotations

import re
from typing import Any

from training.data.row.fields import FieldError, text_at

KEY = "reasoning_content"
KEYS = (KEY, "reasoning", "thinking")  # the others are vLLM's and OpenRouter's; TRL's for gpt-oss
THOUGHT = re.compile(r"\s*<think>(.*?)</think>(.*)", re.DOTALL)


def named(turn: dict[str, Any], at: str) -> dict[str, Any]:
    """``turn`` with its thought under ``KEY``, if it has one; only what an assistant says has.

    Raises:
        FieldError: the thought is no text, stands in the content too, or is another under each of two keys;
            ``at`` is the turn's dotted path.
    """
    given = [key for key in KEYS if turn.get(key)]
    rest = {key: value for key, value in turn.items() if key not in KEYS}
    if not given or turn.get("role") not in ("assistant", "function_call"):
        return rest
    said, before = turn.get("content"), f"{at}." if at else ""
    if isinstance(said, str) and (found := THOUGHT.fullmatch(said)) and found[1].strip():
        raise FieldError(before + given[0], "stands beside a <think> in the content; give the thought once")
    if other := next((key for key in given if turn[key] != turn[given[0]]), None):
        raise FieldError(
            before + other, f"is another thought than {given[0]}, which stands beside it; leave one out"
        )
    return rest | {KEY: text_at(turn, given[0], at)}


def shown(turn: dict[str, Any], key: str | None) -> dict[str, Any]:
    """``turn``, which has a thought, with it under the ``key`` that the chat template renders; None: none."""
    rest = {name: value for name, value in turn.items() if name != KEY}
    if key is not None:
        return rest | {key: turn[KEY]}
    said = turn.get("content") or ""
    thought = spelled(turn[KEY])
    return rest | {"content": [thought, *said] if isinstance(said, list) else thought + said}


def spelled(thought: str) -> str:
    """A thought as it stands before what is said."""
    return f"<think>\n{thought.strip()}\n</think>\n\n"
