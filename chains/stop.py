"""Ends a text at a stop string, where the engine can't: it would stop inside the reasoning too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, AnyStr


class StopAt:
    """Passes text on up to the first of ``stops``, however the text is cut into pieces."""

    def __init__(self, stops: list[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.reached = False  # True: a stop string was met, and nothing passes any more

    def feed(self, text: str) -> str:
        """What of the text so far can be given out."""
        if self.reached:
            return ""
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:  # the one that was complete first, as if the text came letter by letter
            self._held, self.reached = "", True
            return text[: min(found)[1]]
        keep = max((overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held


def stops_of(parameters: Mapping[str, Any]) -> list[str]:
    """The parameter ``stop`` as a list: OpenAI takes one string, several or none."""
    stop = parameters.get("stop")
    return [stop] if isinstance(stop, str) else list(stop or [])


def overlap(text: AnyStr, mark: AnyStr) -> int:
    """How many characters, or bytes, at the end of ``text`` begin ``mark``, without being all of it."""
    for length in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0
