"""The numbers by which an answer names its passages, in text cut anywhere: ``[1]``, ``[1, 3]``, ``[1-3]``.

A bracket is a citation only where it can be one. It is none in code (backticks, a fenced block), behind an
equals sign, before the address of a link, and right behind a letter, digit or closing bracket, where it is an
index. Scripts that part words by no space write a citation right behind a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SPAN = r"\d{1,3}(?: ?[-–] ?\d{1,3})?"
_TOKEN = re.compile(
    rf"(?P<cited> ?\[ ?(?P<spans>{_SPAN}(?: ?[,;，、] ?{_SPAN}){{0,9}}) ?\](?!\())"
    r"|(?P<marks>`+|~{3,})|(?P<text>[^\s\[`~]+|.)",
    re.DOTALL,
)
_BEGUN = re.compile(r"(?: ?(?:\[[\d ,;，、–-]{0,150}\]?)?|`+|~+)\Z")
_INDEXED = re.compile(
    r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[)\]}=]"
)
_MOST = 999  # of a number's digits
_BEFORE_FENCE = frozenset(" \t>*+-.0123456789")


def place_of(number: int, text: str) -> int:
    """Where ``text`` first names the passage ``number``, at the bracket; its end where it does not."""
    reader = CitationReader(_MOST)
    reader.feed(text)
    reader.end()
    return reader.places.get(number, len(text))


class CitationReader:
    """Notes which of the passages 1 to ``known`` are named; a number that names none is taken out."""

    def __init__(self, known: int) -> None:
        self._known = known
        self._held = ""
        self._before = ""  # the character in front of what is read next; none behind a citation
        self._last = ""  # the last that is no space
        self._at_line = True  # whether nothing is in front of it in its line that a fence may not follow
        self._code = ""  # the marks that opened what is code; "": it is none
        self._fenced = False  # whether it is a block, which ends where a line begins,
        self._one_line = False  # or in the line that it began in
        self._at = 0  # characters read
        self.named: list[int] = []  # in the order of the text, each once
        self.places: dict[int, int] = {}  # at which bracket of the text each is named first

    def feed(self, text: str) -> str:
        """What of the text so far can be given out."""
        text = self._held + text
        begun = _BEGUN.search(text)
        at = begun.start() if begun else len(text)
        self._held = text[at:]
        return "".join(self._read(text[:at]))

    def end(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return "".join(self._read(held))

    def _read(self, text: str) -> Iterator[str]:
        for match in _TOKEN.finditer(text):
            token = match[0]
            numbers = _numbers(match["spans"]) if match["spans"] and self._can_cite(token) else []
            if numbers:
                yield self._checked(token, numbers)
            else:
                if match["marks"]:
                    self._mark(token)
                yield token
            if token == "\n":
                self._at_line, self._one_line = True, False
                self._code = self._code if self._fenced else ""
            else:
                self._at_line = self._at_line and _BEFORE_FENCE.issuperset(token)
            self._at += len(token)
            self._before = "" if numbers else token[-1]
            self._last = "" if numbers else token.strip()[-1:] or self._last

    def _can_cite(self, token: str) -> bool:
        before = " " if token.startswith(" ") else self._before
        return not (self._code or self._last == "=" or _INDEXED.match(before))

    def _mark(self, marks: str) -> None:
        """``marks`` open code or close it."""
        if not self._code:
            self._fenced = self._one_line = self._at_line and len(marks) > 2
            self._code = marks if self._fenced or marks[0] == "`" else ""
        elif self._fenced and not (marks.startswith(self._code) and (self._at_line or self._one_line)):
            return
        elif self._fenced or marks == self._code:
            self._code, self._fenced = "", False

    def _checked(self, token: str, numbers: list[int]) -> str:
        right = [number for number in numbers if 1 <= number <= self._known]
        self.named += [number for number in dict.fromkeys(right) if number not in self.named]
        for number in right:
            self.places.setdefault(number, self._at + token.startswith(" "))
        if right == numbers:
            return token
        space = " " if token.startswith(" ") else ""
        return f"{space}[{', '.join(map(str, right))}]" if right else ""


def _numbers(spans: str) -> list[int]:
    """The numbers that ``spans`` names, like ``1, 3-5``; none where a range runs backwards."""
    found: list[int] = []
    for span in re.split("[,;，、]", spans):
        first, *last = map(int, re.split("[-–]", span))
        found += range(first, (last[0] if last else first) + 1)
    return found
