"""What an assistant thinks before it speaks, under whichever key a file has it beside ``content``.

It is rendered as the base's chat template renders thoughts. One that knows none of the keys would leave them
out, and so they stand in ``<think>`` before what is said, where the chain ``cot`` looks for them.
"""

from __future__ import annotations

import re
from typing import Any

from training.data.fields import FieldError, text_at

KEY = "reasoning_content"
ALSO = ("reasoning", "thinking")  # vLLM's and OpenRouter's; TRL's for gpt-oss
THOUGHT = re.compile(r"\s*<think>(.*?)</think>(.*)", re.DOTALL)


def named(turn: dict[str, Any], at: str) -> dict[str, Any]:
    """``turn`` with its thought under ``KEY``, if it has one; only what an assistant says has.

    Raises:
        FieldError: the thought is no text, or stands in the content too; ``at`` is the turn's dotted path.
    """
    given = [key for key in (KEY, *ALSO) if turn.get(key)]
    rest = {key: value for key, value in turn.items() if key not in (KEY, *ALSO)}
    if not given or turn.get("role") not in ("assistant", "function_call"):
        return rest
    said = turn.get("content")
    if isinstance(said, str) and (found := THOUGHT.fullmatch(said)) and found[1].strip():
        field = f"{at}.{given[0]}" if at else given[0]
        raise FieldError(field, "stands beside a <think> in the content; give the thought once")
    return rest | {KEY: text_at(turn, given[0], at)}


def shown(turn: dict[str, Any], template: str) -> dict[str, Any]:
    """``turn`` with its thought where the chat ``template`` renders it."""
    if KEY not in turn:
        return turn
    rest = {key: value for key, value in turn.items() if key != KEY}
    for key in (KEY, *ALSO):
        if re.search(rf"""\.{key}\b|['"]{key}['"]""", template):
            return rest | {key: turn[KEY]}
    said = turn.get("content") or ""
    thought = spelled(turn[KEY])
    return rest | {"content": [thought, *said] if isinstance(said, list) else thought + said}


def spelled(thought: str) -> str:
    """A thought as it stands before what is said."""
    return f"<think>\n{thought.strip()}\n</think>\n\n"
