"""What a message of a server says: its text, its thought, and its calls, whatever form they come in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from training.errors import EndpointError

_CLOSED = re.compile(r"\s*(?:<think>)?(.*?)</think>(.*)", re.DOTALL)  # some templates open it in the prompt
_OPEN = "<think>"


class Parted(NamedTuple):
    """A message's thought and what follows it, both without white space around them."""

    reasoning: str  # "": none
    text: str

    @property
    def whole(self) -> str:
        """Both, as training learns them: the thought in its tags, then the text."""
        return f"<think>\n{self.reasoning}\n</think>\n\n{self.text}".rstrip() if self.reasoning else self.text


def text(content: Any) -> str:
    """The text of a message's ``content``: a text, None, or parts of text or texts, which are joined.

    Raises:
        EndpointError: it is something else, or holds a part that is no text.
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts: list[str] = []
    for part in parts:
        said = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(said, str):
            raise EndpointError(
                f"the server answered a content that is no text: {str(part)[:120]}; it must be a text, or "
                'parts of the form {"type": "text", "text": ...}'
            )
        texts.append(said)
    return "".join(texts)


def parted(message: Mapping[str, Any]) -> Parted:
    """The thought from a field of its own (vLLM's parsers, DeepSeek) or from ``<think>``, and the rest.

    A thought that does not end has no text behind it.

    Raises:
        EndpointError: as :func:`text`.
    """
    reasoning = text(message.get("reasoning_content") or message.get("reasoning"))
    said = text(message.get("content"))
    if found := _CLOSED.fullmatch(said):
        reasoning, said = found[1], found[2]
    elif said.lstrip().startswith(_OPEN):
        reasoning, said = said.lstrip().removeprefix(_OPEN), ""
    return Parted(reasoning.strip(), said.strip())


def behind_thought(said: str) -> str:
    """What follows the ``<think>`` that a text begins with; one without it as it is, white space too."""
    return said if (found := parted({"content": said}).text) == said.strip() else found


def calls(message: Mapping[str, Any]) -> list[Any]:
    """The calls as they were given, of right form or not."""
    given = message.get("tool_calls") or []
    return given if isinstance(given, list) else [given]


def function(call: Any) -> Mapping[str, Any]:
    """The function of a call; empty where it has none."""
    found = call.get("function") if isinstance(call, Mapping) else None
    return found if isinstance(found, Mapping) else {}
