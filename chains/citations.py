"""The numbers by which an answer names its passages, like ``[1]`` or ``[1, 3]``, in text cut anywhere."""

from __future__ import annotations

import re

_NAMED = re.compile(r" ?\[(\d{1,3}(?:, ?\d{1,3}){0,9})\]")
_BEGUN = re.compile(r" ?(?:\[[\d, ]{0,50})?\Z")


def place_of(number: int, text: str) -> int:
    """Where ``text`` first names the passage ``number``, at the bracket; its end where it does not."""
    for match in _NAMED.finditer(text):
        if number in map(int, match[1].split(",")):
            return text.index("[", match.start())
    return len(text)


class CitationReader:
    """Notes which of the passages 1 to ``known`` are named; a number that names none is taken out."""

    def __init__(self, known: int) -> None:
        self._known = known
        self._held = ""
        self.named: list[int] = []  # in the order of the text, each once

    def feed(self, text: str) -> str:
        """What of the text so far can be given out."""
        text = self._held + text
        begun = _BEGUN.search(text)
        at = begun.start() if begun else len(text)
        self._held = text[at:]
        return _NAMED.sub(self._checked, text[:at])

    def end(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return _NAMED.sub(self._checked, held)

    def _checked(self, match: re.Match[str]) -> str:
        numbers = [int(number) for number in match[1].split(",")]
        right = [number for number in numbers if 1 <= number <= self._known]
        self.named += [number for number in dict.fromkeys(right) if number not in self.named]
        if right == numbers:
            return match[0]
        space = " " if match[0].startswith(" ") else ""
        return f"{space}[{', '.join(map(str, right))}]" if right else ""
