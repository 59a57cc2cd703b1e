"""Messages whose content is a list of typed parts, as LLaMA-Factory writes them from its version 1 on::

    {"role": "assistant", "content": [{"type": "reasoning", "value": ...}, {"type": "text", "value": ...},
                                      {"type": "tool_call", "value": ...}], "loss_weight": 1.0}

They become messages in OpenAI's form: thoughts stand in ``<think>`` before what is said, calls in
``tool_calls``.
"""

from __future__ import annotations

from typing import Any

from training.data.formats import thoughts
from training.data.row import json_text

KINDS = ("text", "reasoning", "tool_call")


def joined(turn: dict[str, Any]) -> dict[str, Any]:
    """``turn`` in OpenAI's form, unchecked; what is no such message is left as it is."""
    content = turn.get("content")
    if not isinstance(content, list) or not content or not all(map(_is_part, content)):
        return turn
    said = {kind: [part["value"] for part in content if part["type"] == kind] for kind in KINDS}
    thought = "".join(map(thoughts.spelled, said["reasoning"]))
    more = {key: value for key, value in turn.items() if key != "content"}
    if said["tool_call"]:
        more["tool_calls"] = [{"type": "function", "function": _call(text)} for text in said["tool_call"]]
    return more | {"content": thought + "".join(said["text"])}


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in KINDS and isinstance(part.get("value"), str)


def _call(text: str) -> Any:
    """The call in ``text``; what is no JSON is left for the check of the message to name."""
    try:
        return json_text.loads(text)
    except ValueError:
        return text
