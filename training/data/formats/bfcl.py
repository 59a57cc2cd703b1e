"""Questions with tools in the form of the Berkeley Function-Calling Leaderboard, as prompts.

Their files hold no answers to learn from. A tool's schema there is in Python's words for types, not in JSON
Schema's, and its name may have dots, which OpenAI's form does not take; both are made into OpenAI's form.
"""

from __future__ import annotations

import re
from typing import Any

from training.data.formats.conversations import Row
from training.data.formats.message import message
from training.data.row.fields import FieldError, list_at, shown, text_at
from training.data.row.form import Form

TYPES = {"dict": "object", "float": "number", "tuple": "array", "String": "string"}


def question(raw: dict[str, Any]) -> Row:
    """``{"question": [[message, ...]], "function": [...]}``, of one turn."""
    turns = list_at(raw, "question")
    if len(turns) != 1 or not isinstance(turns[0], list):
        raise FieldError("question", f"must hold one list of messages, found {len(turns)} of them")
    said = tuple(message(turn, f"question.0.{i}") for i, turn in enumerate(turns[0]))
    tools = tuple(_tool(one, f"function.{i}") for i, one in enumerate(list_at(raw, "function")))
    return Row(messages=said, tools=tools)


def _tool(function: Any, at: str) -> dict[str, Any]:
    if not isinstance(function, dict):
        raise FieldError(at, f"must be an object, found {shown(function)}")
    name = re.sub(r"\W", "_", text_at(function, "name", at))
    schema = _schema(function.get("parameters", {}))
    return {"type": "function", "function": {**function, "name": name, "parameters": schema}}


def _schema(found: Any) -> Any:
    if isinstance(found, list):
        return [_schema(one) for one in found]
    if not isinstance(found, dict):
        return found
    schema = {key: _schema(value) for key, value in found.items()}
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = TYPES.get(kind, kind)
        if kind == "any":  # which JSON Schema says by saying nothing
            del schema["type"]
    return schema


FORM = Form(question, ("question", "function"))
