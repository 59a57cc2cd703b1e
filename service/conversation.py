"""The messages of a request: what must hold before any room works on them, and which conversation they are.

Only what our own code relies on is checked; all else is the engine's to accept or refuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from service.errors import InvalidRequest

Message = dict[str, Any]
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def messages_of(body: Mapping[str, Any], most: int) -> list[Message]:
    """The messages of a chat request.

    Raises:
        InvalidRequest: names the place of the first thing that is wrong.
    """
    if "messages" not in body:
        raise InvalidRequest("messages is required: a list of messages", "messages")
    messages = body["messages"]
    if not isinstance(messages, list):
        raise InvalidRequest(f"messages must be a list, found {_kind(messages)}", "messages")
    if not messages:
        raise InvalidRequest("messages must hold at least one message", "messages")
    if len(messages) > most:
        raise InvalidRequest(f"messages holds {len(messages)} messages; at most {most} are taken", "messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]")
    return messages


def check_choices(body: Mapping[str, Any], most: int) -> None:
    """Bound the answers that one request may ask for; each takes a place in the engine.

    Raises:
        InvalidRequest: more than ``most``.
    """
    prompt = body.get("prompt")
    many = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    prompts = len(prompt) if many and isinstance(prompt, list) else 1
    for name in ("n", "best_of"):
        choices = body.get(name)
        if isinstance(choices, int) and choices * prompts > most:
            raise InvalidRequest(
                f"{name} is {choices} for {prompts} prompt{'s' if prompts > 1 else ''}; one request gets "
                f"at most {most} answers",
                name,
            )
    if prompts > most:
        raise InvalidRequest(f"prompt holds {prompts} prompts; at most {most} are taken", "prompt")


def check_stop(body: Mapping[str, Any]) -> None:
    """Make sure of ``stop``, which chains look at before the engine does.

    Raises:
        InvalidRequest: neither a text nor a list of texts.
    """
    stop = body.get("stop")
    texts = stop if isinstance(stop, list) else [] if stop is None else [stop]
    for text in texts:
        if not isinstance(text, str):
            raise InvalidRequest(f"stop must be a text or a list of texts, found {_kind(text)}", "stop")


def conversation_key(body: Mapping[str, Any]) -> str:
    """The same for every turn of one conversation: a hash of its messages up to the first of the user.

    A completion's conversation is its prompt.
    """
    first: list[Any] = [body.get("user")]
    for message in body.get("messages") or [body.get("prompt")]:
        first.append(message)
        if isinstance(message, Mapping) and message.get("role") == "user":
            break
    return hashlib.sha256(orjson.dumps(first, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_message(message: object, at: str) -> None:
    if not isinstance(message, dict):
        raise InvalidRequest(f"{at} must be an object, found {_kind(message)}", at)
    role = message.get("role")
    if role not in ROLES:
        found = "it has none" if role is None else f"found {str(role)[:40]!r}"
        raise InvalidRequest(f"{at}.role must be one of {', '.join(ROLES)}; {found}", f"{at}.role")
    content = message.get("content")
    if isinstance(content, list):
        _check_parts(content, f"{at}.content")
    elif content is None:
        if role != "assistant":
            raise InvalidRequest(f"{at}.content is required for the role {role!r}", f"{at}.content")
    elif not isinstance(content, str):
        raise InvalidRequest(
            f"{at}.content must be text or a list of parts, found {_kind(content)}", f"{at}.content"
        )
    if message.get("tool_calls") is not None:
        _check_calls(message["tool_calls"], f"{at}.tool_calls")


def _check_parts(parts: Sequence[object], at: str) -> None:
    for index, part in enumerate(parts):
        place = f"{at}[{index}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise InvalidRequest(f"{place} must be an object with a type", place)
        if part["type"] == "text" and not isinstance(part.get("text"), str):
            raise InvalidRequest(
                f"{place}.text must be text, found {_kind(part.get('text'))}", f"{place}.text"
            )


def _check_calls(calls: object, at: str) -> None:
    if not isinstance(calls, list):
        raise InvalidRequest(f"{at} must be a list, found {_kind(calls)}", at)
    for index, call in enumerate(calls):
        place = f"{at}[{index}].function"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InvalidRequest(f"{place} must be an object with a name and arguments", place)
        arguments = function.get("arguments", "")
        if not isinstance(arguments, str):
            raise InvalidRequest(
                f"{place}.arguments must be JSON as text, found {_kind(arguments)}", f"{place}.arguments"
            )
        try:
            parsed = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise InvalidRequest(
                f"{place}.arguments must be a JSON object, found {arguments[:40]!r}", f"{place}.arguments"
            )


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
