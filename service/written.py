"""Tool calls in what a model wrote, between the tags of Hermes' form: those that are whole, and one begun."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from chains.answer import Call

OPENING = "<tool_call>"
_CLOSING = "</tool_call>"
_JSON = json.JSONDecoder()
_SPACE = re.compile(r"\s*")
_BEGUN = re.compile(
    r'\s*\{\s*"name"\s*:\s*(?P<name>"(?:[^"\\]|\\.)+")(?:\s*,\s*"arguments"\s*:\s*(?P<arguments>.*))?',
    re.DOTALL,
)
_HALF = "\ufffd"  # what a character that is cut in two is read as


def whole_calls(written: str, engines: Sequence[Call]) -> list[dict[str, Any]] | None:
    """The calls in ``written``, with the ids that the engine gave them; None: one can't be read.

    ``engines`` is what the engine made of them; it counts where they are marked in another way.
    """
    if OPENING not in written:
        calls = [_told(call.id, call.name, call.arguments) for call in engines]
        return calls if all(map(is_readable, calls)) else None
    found = list(map(_whole, _between_tags(written)))
    whole = [call for call in found if call is not None]
    return _numbered(whole, engines) if len(whole) == len(found) else None


def calls_as_far(written: str, engines: Sequence[Call]) -> list[dict[str, Any]]:
    """The calls in ``written``, which was cut off: the last as far as it came, if it came to a name."""
    if OPENING not in written:
        return [_told(call.id, call.name, call.arguments) for call in engines if call.name]
    found = [_whole(text) or _begun(text.rstrip(_HALF)) for text in _between_tags(written)]
    return _numbered([call for call in found if call is not None], engines)


def is_readable(call: Mapping[str, Any]) -> bool:
    """Whether the arguments of ``call`` are a JSON object."""
    try:
        return isinstance(json.loads(call["function"]["arguments"]), dict)
    except ValueError:
        return False


def _between_tags(written: str) -> list[str]:
    """What stands between each opening tag and its closing one, which is not one in a text of the call."""
    found, opening = list[str](), written.find(OPENING)
    while opening >= 0:
        begin = end = opening + len(OPENING)
        if (space := _SPACE.match(written, begin)) is not None:
            with contextlib.suppress(ValueError, RecursionError):
                _, end = _JSON.raw_decode(written, space.end())
        closing = written.find(_CLOSING, end)
        closing = len(written) if closing < 0 else closing
        found.append(written[begin:closing])
        opening = written.find(OPENING, closing)
    return found


def _whole(text: str) -> tuple[str, str] | None:
    """Name and arguments of a call; None: it can't be read."""
    try:
        found = json.loads(text)
        name, arguments = found["name"], found["arguments"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return name, json.dumps(arguments, ensure_ascii=False)


def _begun(text: str) -> tuple[str, str] | None:
    """Name and arguments of a call that was cut off; None: the name was."""
    if (found := _BEGUN.match(text)) is None:
        return None
    arguments = found["arguments"] or ""
    with contextlib.suppress(ValueError):  # whole, and only the end of the call is missing
        arguments = json.dumps(_JSON.raw_decode(arguments)[0], ensure_ascii=False)
    try:
        return str(json.loads(found["name"])), arguments
    except ValueError:
        return None


def _numbered(calls: Sequence[tuple[str, str]], engines: Sequence[Call]) -> list[dict[str, Any]]:
    ids = [call.id for call in engines]
    return [_told(ids[at] if at < len(ids) else "", *call) for at, call in enumerate(calls)]


def _told(name: str, function: str, arguments: str) -> dict[str, Any]:
    return {
        "id": name or f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": function, "arguments": arguments},
    }
