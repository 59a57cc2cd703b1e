"""Changes to a rendered conversation that more than one chain makes. Nothing is changed in place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chains.events import Message

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SYSTEM = ("system", "developer")


def with_system(messages: Sequence[Message], text: str) -> list[Message]:
    """``messages`` with ``text`` at the end of their first instruction, or as one where there is none."""
    for index, message in enumerate(messages):
        if message.get("role") in _SYSTEM:
            content = message.get("content")
            both: object = f"{content}\n\n{text}" if content else text
            if isinstance(content, list):
                both = [*content, {"type": "text", "text": text}]
            return [*messages[:index], {**message, "content": both}, *messages[index + 1 :]]
    return [{"role": "system", "content": text}, *messages]


def text_of(message: Message) -> str:
    """The text of a message, whose content may be a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def in_chinese(messages: Sequence[Message]) -> bool:
    """Whether the user wrote Chinese at last: in which language the chain's own words are."""
    asked = [text_of(message) for message in messages if message.get("role") == "user"]
    return bool(asked) and _CHINESE.search(asked[-1]) is not None
