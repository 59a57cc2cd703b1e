"""Where in a conversation something is, as its client counts: a route puts messages of its own before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLACE = re.compile(r"\bmessages\[(\d+)\][\w.\[\]]*")

_TEXTS = ("text", "refusal", "thinking")  # parts that vLLM reads as text


def in_clients_places(
    text: str, sent: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]
) -> str:
    """``text`` about messages that the engine was ``sent``, with their places among those ``asked``.

    One that is none of the client's is called by the list's name alone.
    """

    def named(place: re.Match[str]) -> str:
        index = int(place[1])
        content = sent[index].get("content") if index < len(sent) else None
        own = next((at for at, one in enumerate(asked) if one.get("content") is content), None)
        if own is None or content is None:
            return "messages"
        return place[0].replace(f"[{index}]", f"[{own}]", 1)

    return _PLACE.sub(named, text)


def place_of_part(messages: Sequence[Any]) -> str:
    """The place of the first part that is no text; the list's name if there is none."""
    for index, message in enumerate(messages):
        content = message.get("content") if isinstance(message, Mapping) else None
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping) and part.get("type") not in _TEXTS:
                return f"messages[{index}].content[{at}]"
    return "messages"
