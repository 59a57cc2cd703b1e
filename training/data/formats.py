"""The forms that rows come in, each turned into one: a text, or a conversation in OpenAI's form.

alpaca and sharegpt are read as the public files of LLaMA-Factory and BELLE write them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from training.data import parts

ROLES = ("system", "developer", "user", "assistant", "tool")
SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to learn from: a ``text``, or ``messages`` with the ``tools`` they may call."""

    text: str | None = None
    messages: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    where: str = field(default="", compare=False)  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The row's bytes, the same for the same content; what data hashes are made of."""
        content = self.text if self.text is not None else [self.messages, self.tools]
        return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


class FieldError(ValueError):
    """A field that does not fit; ``args`` are its dotted path and what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field, self.problem = field, problem


def renamed(raw: Any, columns: dict[str, str]) -> dict[str, Any]:
    """The row ``raw`` with its fields called as the readers expect; ``columns`` says what they are called.

    A field that is no reader's, and has the name of one that was renamed, does not stand in its way.
    """
    if not isinstance(raw, dict):
        raise FieldError("", f"must be an object, found {raw!r}")
    for ours, theirs in columns.items():
        if theirs not in raw:
            raise FieldError(
                theirs, f"is to be {ours}, by columns; the row has {', '.join(raw) or 'no fields'}"
            )
    kept = {key: value for key, value in raw.items() if key not in columns.values()}
    return kept | {ours: raw[theirs] for ours, theirs in columns.items()}


def text(raw: dict[str, Any]) -> Row:
    """``{"text": ...}``."""
    return Row(text=text_at(raw, "text"))


def messages(raw: dict[str, Any]) -> Row:
    """``{"messages": [...], "tools": [...]}``; also ``{"text": ...}``, so that a generator may mix both."""
    if "messages" not in raw and "text" in raw:
        return text(raw)
    turns = tuple(message(turn, f"messages.{i}") for i, turn in enumerate(list_at(raw, "messages")))
    if not turns:
        raise FieldError("messages", "is empty; give at least one message")
    return Row(messages=turns, tools=tools_of(raw))


def alpaca(raw: dict[str, Any]) -> Row:
    """``{"instruction", "input", "output"}``, with ``system``, ``history`` (pairs) and ``tools`` where given.

    Also ``{"question", "answer"}``, as GSM8K has, and Self-Instruct's ``{"instruction", "instances"}`` with
    one instance of ``{"input", "output"}``.
    """
    as_asked = "question" in raw and "instruction" not in raw
    asked, said = ("question", "answer") if as_asked else ("instruction", "output")
    if said not in raw and "instances" in raw:
        raw = raw | _only_instance(raw)
    turns: list[dict[str, Any]] = []
    if raw.get("system"):
        turns.append({"role": "system", "content": text_at(raw, "system")})
    for i, pair in enumerate(list_at(raw, "history") if raw.get("history") else []):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise FieldError(f"history.{i}", "must be a pair of texts, [question, answer]")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    question = text_at(raw, asked)
    if raw.get("input"):
        question += ("\n" if question else "") + text_at(raw, "input")
    turns += [
        {"role": "user", "content": question},
        {"role": "assistant", "content": text_at(raw, said)},
    ]
    return Row(messages=tuple(turns), tools=tools_of(raw))


def _only_instance(raw: dict[str, Any]) -> dict[str, Any]:
    instances = list_at(raw, "instances")
    if len(instances) != 1:
        raise FieldError("instances", f"holds {len(instances)}; write a row for each of them")
    if not isinstance(instances[0], dict):
        raise FieldError("instances.0", f"must be an object, found {instances[0]!r}")
    return {"input": instances[0].get("input"), "output": text_at(instances[0], "output", "instances.0")}


def sharegpt(raw: dict[str, Any]) -> Row:
    """``{"conversations": [{"from", "value"}], "tools": "<JSON text>"}``."""
    turns: list[dict[str, Any]] = []
    if raw.get("system"):
        turns.append({"role": "system", "content": text_at(raw, "system")})
    turns += [
        sharegpt_turn(turn, f"conversations.{i}") for i, turn in enumerate(list_at(raw, "conversations"))
    ]
    if not turns:
        raise FieldError("conversations", "is empty; give at least one turn")
    return Row(messages=tuple(turns), tools=tools_of(raw))


def sharegpt_turn(turn: Any, at: str) -> dict[str, Any]:
    """One ``{"from", "value"}``, or ``{"role", "content"}``, as a message; ``at`` is its dotted path."""
    as_openai = isinstance(turn, dict) and "from" not in turn and "role" in turn
    who, what = ("role", "content") if as_openai else ("from", "value")
    speaker = turn.get(who) if isinstance(turn, dict) else None
    if speaker not in SHAREGPT_ROLES:
        raise FieldError(f"{at}.{who}", f"must be one of {', '.join(SHAREGPT_ROLES)}, found {speaker!r}")
    value = text_at(turn, what, at)
    if speaker == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": _calls(value, f"{at}.{what}")}
    return {"role": SHAREGPT_ROLES[speaker], "content": value}


def tools_of(raw: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The row's ``tools``: a list, or the JSON text of one."""
    tools = raw.get("tools") or []
    if isinstance(tools, str):
        tools = _json(tools, "tools") if tools.strip() else []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise FieldError("tools", "must be a list of tools in OpenAI's form, or the JSON text of one")
    return tuple(tools)


READERS: dict[str, Callable[[dict[str, Any]], Row]] = {
    "text": text,
    "messages": messages,
    "alpaca": alpaca,
    "sharegpt": sharegpt,
}


def message(given: Any, at: str) -> dict[str, Any]:
    """A message in OpenAI's form, checked, its calls' arguments parsed; ``at`` is its dotted path."""
    if not isinstance(given, dict):
        raise FieldError(at, f"must be a message, found {given!r}")
    turn = parts.joined(given)
    role = turn.get("role")
    if role not in ROLES:
        raise FieldError(f"{at}.role", f"must be one of {', '.join(ROLES)}, found {role!r}")
    content, calls = turn.get("content"), turn.get("tool_calls")
    if not isinstance(content, str | list) and not (content is None and calls):
        raise FieldError(f"{at}.content", f"must be a text, found {content!r}")
    for i, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part.get("text") if isinstance(part, dict) else part, str):
            raise FieldError(
                f"{at}.content.{i}", f'must be a text, or {{"type": "text", "text": ...}}; found {part!r}'
            )
    if turn.get("weight") not in (None, 0, 1):
        raise FieldError(f"{at}.weight", f"must be 0 (not learned) or 1, found {turn['weight']!r}")
    if not calls:
        return turn
    if not isinstance(calls, list):
        raise FieldError(f"{at}.tool_calls", "must be a list of calls in OpenAI's form")
    return {**turn, "tool_calls": [_call(call, f"{at}.tool_calls.{i}") for i, call in enumerate(calls)]}


def _call(call: Any, at: str) -> dict[str, Any]:
    """The call with its arguments as an object: the JSON text that OpenAI sends is parsed."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise FieldError(
            f"{at}.function.name", 'must name the tool: {"type": "function", "function": {"name": ...'
        )
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _json(arguments, f"{at}.function.arguments")
    if not isinstance(arguments, dict):
        raise FieldError(f"{at}.function.arguments", f"must be a JSON object, found {arguments!r}")
    return {**call, "function": {**function, "arguments": arguments}}


def _calls(value: str, at: str) -> list[dict[str, Any]]:
    parsed = _json(value, at)
    return [
        _call({"type": "function", "function": call}, at)
        for call in (parsed if isinstance(parsed, list) else [parsed])
    ]


def _json(value: str, at: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as exc:
        raise FieldError(at, f"is not JSON: {exc}") from exc


def text_at(raw: dict[str, Any], key: str, at: str = "") -> str:
    """The text under ``key``; ``at`` is the dotted path of ``raw`` itself."""
    value = raw.get(key)
    if not isinstance(value, str):
        found = f"found {value!r}" if key in raw else f"the row has {', '.join(raw) or 'no fields'}"
        raise FieldError(f"{at}.{key}" if at else key, f"must be a text; {found}")
    return value


def list_at(raw: dict[str, Any], key: str) -> list[Any]:
    """The list under ``key``."""
    value = raw.get(key)
    if not isinstance(value, list):
        found = f"found {value!r}" if key in raw else f"the row has {', '.join(raw) or 'no fields'}"
        raise FieldError(key, f"must be a list; {found}")
    return value
