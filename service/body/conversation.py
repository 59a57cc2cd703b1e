"""The messages of a request: what must hold before any room works on them, and which conversation they are.

Only what our own code relies on is checked; all else is the engine's to accept or refuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from service.body.breakpoints import check_breakpoint
from service.body.known import MESSAGE, TEXT_PART
from service.body.shown import kind_of
from service.errors import InvalidRequest

Message = dict[str, Any]
PARTS: Mapping[str, tuple[str, ...]] = {  # parts of content beside text, and the texts that each holds
    "image_url": ("url",),
    "input_audio": ("data", "format"),
}
_MORE_PARTS = (  # that the engine reads
    *("text", "refusal", "audio_url", "video_url"),
    *("input_image", "thinking", "tool_reference"),
)
_REFUSED_PARTS: Mapping[str, str] = {
    "file": "give its text",
    **dict.fromkeys(("input_text", "output_text"), "it is of /v1/responses; in a chat its type is text"),
    **dict.fromkeys(
        ("prompt_embeds", "image_embeds", "audio_embeds", "video_embeds", "image_pil"),
        "tensors and objects from outside are loaded unchecked",
    ),
}
ROLES = ("system", "developer", "user", "assistant", "tool")


def messages_of(body: Mapping[str, Any], most: int) -> list[Message]:
    """The messages of a chat request; a developer's are the system's, which every chat template knows.

    A field that is null is as good as left out, and vLLM refuses a ``name`` that is; ``content`` stays.

    Raises:
        InvalidRequest: names the place of the first thing that is wrong.
    """
    if "messages" not in body:
        raise InvalidRequest("messages is required: a list of messages", "messages")
    messages = body["messages"]
    if not isinstance(messages, list):
        raise InvalidRequest(f"messages must be a list, found {kind_of(messages)}", "messages")
    if not messages:
        raise InvalidRequest("messages must hold at least one message", "messages")
    if len(messages) > most:
        raise InvalidRequest(f"messages holds {len(messages)} messages; at most {most} are taken", "messages")
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        _check_message(message, at)
        if message["role"] == "tool":
            check_answer(messages[:index], message["tool_call_id"], at)
    return [_plain(message) for message in messages]


def _plain(message: Message) -> Message:
    if message["role"] == "developer":
        message = {**message, "role": "system"}
    if None not in message.values():
        return message
    return {name: value for name, value in message.items() if value is not None or name == "content"}


def check_said(messages: Sequence[Message]) -> None:
    """Refuse a conversation in which nobody says anything: whatever a model made of it, nobody asked for.

    An empty message beside others is fine, as tools answer with nothing and users send a bare turn.

    Raises:
        InvalidRequest
    """
    if not any(_says(message) for message in messages):
        place = f"messages[{len(messages) - 1}].content"
        raise InvalidRequest(
            f"{place} is empty, and so is every message: at least one must hold some text", place
        )


def check_written(messages: Sequence[Message]) -> None:
    """Refuse pictures and sound, whose tokens the engine does not count.

    Raises:
        InvalidRequest
    """
    for index, message in enumerate(messages):
        content = message.get("content")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if part["type"] in PARTS:
                place = f"messages[{index}].content[{at}]"
                raise InvalidRequest(
                    f"{place} is of the type {part['type']!r}, and only text is counted here: leave it out",
                    place,
                )


def asked(messages: Sequence[Message]) -> list[Message]:
    """``messages`` for a route: where the user says nothing, the last word of the system is the request.

    OpenAI's models answer a system message alone as if it were asked; a route's prompt would hide it among
    its own instructions and leave the model nothing to answer.
    """
    found = list(messages)
    if any(_says(message) for message in found if message["role"] != "system"):
        return found
    last = max((index for index, message in enumerate(found) if _says(message)), default=None)
    if last is None:
        return found
    kept = [message for message in found if message["role"] == "system"]
    kept.remove(found[last])
    return [*kept, {**found[last], "role": "user"}]


def _says(message: Message) -> bool:
    """Whether a message holds text, another part, or a call."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    said = any(part["type"] != "text" or part["text"].strip() for part in parts)
    return said or bool(message.get("tool_calls"))


def conversation_key(body: Mapping[str, Any]) -> str:
    """The same for every turn of one conversation: a hash of its messages up to the first of the user.

    A completion's conversation is its prompt.
    """
    first: list[Any] = [body.get("user")]
    for message in body.get("messages") or [body.get("prompt")]:
        first.append(message)
        if isinstance(message, Mapping) and message.get("role") == "user":
            break
    return _hashed(first)


def beginning(body: Mapping[str, Any]) -> tuple[str, str]:
    """What an engine's prefix cache knows a request by: hashes of its template and of its conversation.

    The template is what stands before the first message of the user, with the tools; "" if nothing does. The
    conversation is that and this message, whoever the ``user`` is. A completion's conversation is its prompt.
    """
    first: list[Any] = [body.get("tools") or None]
    rest = iter(body.get("messages") or [body.get("prompt")])
    said: Any = None
    for said in rest:
        if not isinstance(said, Mapping) or said.get("role") == "user":
            break
        first.append(said)
    template = "" if first == [None] else _hashed(first)
    return template, _hashed([template, said])


def _hashed(parts: Sequence[Any]) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def check_answer(before: Sequence[Message], call: str, at: str) -> None:
    """Refuse a tool's answer at ``at`` to no call of the assistant's just ``before``, as OpenAI does.

    vLLM takes it, and the model then reads an answer to nothing: it may say anything, in any language.
    """
    asked = next((message for message in reversed(before) if message["role"] != "tool"), {})
    ids = [found["id"] for found in asked.get("tool_calls") or [] if asked["role"] == "assistant"]
    if not ids:
        raise InvalidRequest(
            f"{at} is a tool's answer and follows no message of the assistant with tool_calls: give that "
            "message before it",
            at,
        )
    if call not in ids:
        raise InvalidRequest(
            f"{at} answers the call {call[:40]!r}, and the assistant's message before it has the calls "
            f"{', '.join(map(repr, ids))[:200]}",
            at,
        )


def check_arguments(arguments: str, at: str) -> None:
    """Refuse the arguments of a call that are no JSON object, which a chat template can't print."""
    try:
        parsed = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidRequest(f"{at} must be a JSON object, found {arguments[:40]!r}", at)


def _check_message(message: object, at: str) -> None:
    if not isinstance(message, dict):
        raise InvalidRequest(f"{at} must be an object, found {kind_of(message)}", at)
    MESSAGE.check(message, at)
    role = message.get("role")
    if role == "function":
        raise InvalidRequest(
            f"{at}.role 'function' is not supported: it is deprecated and answers a function_call; give the "
            "call as tool_calls of the assistant's message, and its answer as a message of the role 'tool'",
            f"{at}.role",
        )
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
            f"{at}.content must be text or a list of parts, found {kind_of(content)}", f"{at}.content"
        )
    for field in ("name", "tool_call_id", "refusal", "reasoning", "reasoning_content"):
        if message.get(field) is not None:
            _check_text(message, field, at)
    if role == "tool":
        _check_text(message, "tool_call_id", at)
    if message.get("tool_calls") is not None:
        _check_calls(message["tool_calls"], f"{at}.tool_calls")


def _check_parts(parts: Sequence[object], at: str) -> None:
    for index, part in enumerate(parts):
        place = f"{at}[{index}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise InvalidRequest(f"{place} must be an object with a type", place)
        kind = part["type"]
        if (why := _REFUSED_PARTS.get(kind)) is None and kind not in (*PARTS, *_MORE_PARTS):
            why = f"a part is one of text, {', '.join(PARTS)}, audio_url, video_url and refusal"
        if why is not None:
            raise InvalidRequest(f"{place}.type {kind[:40]!r} is not supported: {why}", f"{place}.type")
        if kind == "text":
            TEXT_PART.check(part, place)
            _check_text(part, "text", place)
            check_breakpoint(part, place)
        if kind in ("refusal", "thinking"):
            _check_text(part, kind, place)
        if kind in PARTS and "uuid" not in part:  # vLLM knows by it what was sent before
            if not isinstance(part.get(kind), dict):
                raise InvalidRequest(
                    f"{place}.{kind} must be an object, found {kind_of(part.get(kind))}", f"{place}.{kind}"
                )
            for name in PARTS[kind]:
                _check_text(part[kind], name, f"{place}.{kind}")


def _check_calls(calls: object, at: str) -> None:
    if not isinstance(calls, list):
        raise InvalidRequest(f"{at} must be a list, found {kind_of(calls)}", at)
    for index, call in enumerate(calls):
        place = f"{at}[{index}].function"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InvalidRequest(f"{place} must be an object with a name and arguments", place)
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            raise InvalidRequest(
                f"{place}.arguments must be JSON as text, found {kind_of(arguments)}", f"{place}.arguments"
            )
        check_arguments(arguments, f"{place}.arguments")
        _check_text(call, "id", f"{at}[{index}]")
        if call.get("type") != "function":
            kind = f"{at}[{index}].type"
            given = call.get("type")
            found = repr(given[:40]) if isinstance(given, str) else kind_of(given)
            raise InvalidRequest(f"{kind} must be 'function', found {found}", kind)


def _check_text(found: Mapping[str, Any], name: str, at: str) -> None:
    if not isinstance(found.get(name), str):
        place = f"{at}.{name}"
        raise InvalidRequest(f"{place} must be text, found {kind_of(found.get(name))}", place)
