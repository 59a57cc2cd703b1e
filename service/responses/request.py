"""What POST /v1/responses asks for, as the chat request that it is.

Nothing is kept between requests, and tools are the client's to run: what needs the one or the other is
refused by name, as is every field that has no meaning here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from service.body.breakpoints import check_breakpoint
from service.body.conversation import Message, check_answer, check_arguments
from service.body.fields import check_stream_options
from service.body.kinds import check_kinds, check_metadata
from service.body.known import (
    RESPONSE,
    RESPONSE_CHOICE,
    RESPONSE_FORM,
    RESPONSE_REASONING,
    RESPONSE_TEXT,
    RESPONSE_TOOL,
)
from service.body.shown import kind_of
from service.body.tools import check_choice_kind
from service.errors import InvalidRequest

_AS_IN_CHAT = ("model", "temperature", "top_p", "parallel_tool_calls", "user")
_STATELESS = "nothing is kept between requests: give the whole conversation as input"
_NAMES = (  # fields of a chat, and what they are here
    (re.compile(r"\btools\[(\d+)\]\.function\b"), r"tools[\1]"),
    (re.compile(r"\bresponse_format(\.json_schema)?\b"), "text.format"),
    (re.compile(r"\b(max_completion_tokens|max_tokens)\b"), "max_output_tokens"),
    (re.compile(r"\breasoning_effort\b"), "reasoning.effort"),
    (re.compile(r"\bmessages\[\d+\][\w.\[\]]*|\bmessages\b"), "input"),
)
TEXTS = ("input_text", "output_text", "text")
ITEM_ROLES = ("user", "assistant", "system", "developer")


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request.

    Raises:
        InvalidRequest: names the first field that is wrong or not supported.
    """
    RESPONSE.check(body)
    check_kinds(body)
    check_metadata(body.get("metadata"))
    check_stream_options(_object(body, "stream_options"))
    chat: dict[str, Any] = {name: body[name] for name in _AS_IN_CHAT if body.get(name) is not None}
    chat["messages"] = _messages(body)
    if body.get("stream") is not None:
        chat["stream"] = body["stream"]
    if body.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    if (most := body.get("max_output_tokens")) is not None:
        if type(most) is not int or most < 1:
            raise InvalidRequest(
                "max_output_tokens must be a whole number of at least 1", "max_output_tokens"
            )
        chat["max_completion_tokens"] = most
    if (tools := body.get("tools")) is not None:
        chat["tools"] = _tools(tools)
    if (choice := body.get("tool_choice")) is not None:
        chat["tool_choice"] = _choice(choice)
    if (form := _format(_object(body, "text"))) is not None:
        chat["response_format"] = form
    if (effort := _effort(_object(body, "reasoning"))) is not None:
        chat["reasoning_effort"] = effort
    return chat


def in_its_names(text: str) -> str:
    """``text`` about the chat with the fields called as in a request for a response."""
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    return text


def _messages(body: Mapping[str, Any]) -> list[Message]:
    given, instructions = body.get("input"), body.get("instructions")
    messages: list[Message] = []
    if instructions is not None:
        if not isinstance(instructions, str):
            raise InvalidRequest(f"instructions must be text, found {kind_of(instructions)}", "instructions")
        messages.append({"role": "system", "content": instructions})
    if isinstance(given, str):
        if not given.strip() and not (instructions or "").strip():
            raise InvalidRequest("input is empty: give some text", "input")
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise InvalidRequest("input is required: one text, or a list of items", "input")
    for index, item in enumerate(given):
        at = f"input[{index}]"
        if not isinstance(item, dict):
            raise InvalidRequest(f"{at} must be an object, found {kind_of(item)}", at)
        _add(messages, item, at)
    if not messages:
        raise InvalidRequest("input must hold a message", "input")
    return messages


def _add(messages: list[Message], item: Mapping[str, Any], at: str) -> None:
    """Add one item; what the assistant says and calls in a row is one message of a chat."""
    kind = item.get("type", "message")
    if kind == "message":
        role = item.get("role")
        if role not in ITEM_ROLES:
            raise InvalidRequest(f"{at}.role must be one of {', '.join(ITEM_ROLES)}", f"{at}.role")
        messages.append({"role": role, "content": _content(item.get("content"), f"{at}.content")})
    elif kind == "function_call":
        function = {name: _text(item, name, at) for name in ("name", "arguments")}
        check_arguments(function["arguments"], f"{at}.arguments")
        call = {"id": _text(item, "call_id", at), "type": "function", "function": function}
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": None})
        messages[-1].setdefault("tool_calls", []).append(call)
    elif kind == "function_call_output":
        output, call_id = _content(item.get("output"), f"{at}.output"), _text(item, "call_id", at)
        check_answer(messages, call_id, at)
        messages.append({"role": "tool", "tool_call_id": call_id, "content": output})
    elif kind != "reasoning":  # what was thought before is not read again
        why = (
            _STATELESS if kind == "item_reference" else "only messages, function calls and their outputs are"
        )
        raise InvalidRequest(f"{at}.type {str(kind)[:40]!r} is not supported: {why}", f"{at}.type")


def _content(content: object, at: str) -> str | list[dict[str, str]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidRequest(f"{at} must be text or a list of parts, found {kind_of(content)}", at)
    parts = []
    for index, part in enumerate(content):
        place = f"{at}[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in (*TEXTS, "refusal"):
            raise InvalidRequest(
                f"{place} must be text ({', '.join(TEXTS)}); {str(kind)[:40]!r} is not supported", place
            )
        name = "refusal" if kind == "refusal" else "text"
        check_breakpoint(part, place)
        parts.append({"type": "text", "text": _text(part, name, place)})
    return parts


def _tools(tools: object) -> list[dict[str, Any]]:
    if not isinstance(tools, list):
        raise InvalidRequest(f"tools must be a list of tools, found {kind_of(tools)}", "tools")
    found = []
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise InvalidRequest(f"{at} must be an object, found {kind_of(tool)}", at)
        if tool.get("type") != "function":
            raise InvalidRequest(
                f"{at}.type {str(tool.get('type'))[:40]!r} is not supported: no tools are built in, give "
                "functions and run them yourself",
                f"{at}.type",
            )
        RESPONSE_TOOL.check(tool, at)
        _text(tool, "name", at)
        names = ("name", "description", "parameters", "strict")
        function = {name: tool[name] for name in names if tool.get(name) is not None}
        found.append({"type": "function", "function": function})
    return found


def _choice(choice: object) -> object:
    if choice in ("none", "auto", "required"):
        return choice
    if isinstance(choice, dict) and "type" in choice:
        check_choice_kind(choice)
        RESPONSE_CHOICE.check(choice, "tool_choice")
        return {"type": "function", "function": {"name": _text(choice, "name", "tool_choice")}}
    raise InvalidRequest(
        "tool_choice must be 'none', 'auto', 'required' or {'type': 'function', 'name': …}", "tool_choice"
    )


def _format(text: Mapping[str, Any]) -> dict[str, Any] | None:
    RESPONSE_TEXT.check(text, "text")
    form = _object(text, "format", "text.format")
    RESPONSE_FORM.check(form, "text.format")
    kind = form.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind == "json_schema":
        _text(form, "name", "text.format")
        return {"type": "json_schema", "json_schema": {k: v for k, v in form.items() if k != "type"}}
    raise InvalidRequest(
        "text.format.type must be 'text', 'json_object' or 'json_schema'", "text.format.type"
    )


def _effort(reasoning: Mapping[str, Any]) -> object:
    RESPONSE_REASONING.check(reasoning, "reasoning")
    return reasoning.get("effort")


def _object(given: Mapping[str, Any], name: str, at: str | None = None) -> Mapping[str, Any]:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidRequest(f"{at or name} must be an object, found {kind_of(value)}", at or name)
    return value or {}


def _text(given: Mapping[str, Any], name: str, at: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{at}.{name} must be text, found {kind_of(value)}", f"{at}.{name}")
    return value
