"""Strings of an answer that must stand word for word in what the user wrote.

A JSON schema says so of a string by ``"x-pointsman-copied": true``. Such a string begins and ends where a
word does: at a space, at a mark, between a digit and a letter; at any character in scripts that write no
spaces. A small model that reads ``六安`` may write ``三安``; under a guide that holds nothing but pieces of
the request it can't.

The guide is standard JSON schema, so any engine takes it: one ``pattern`` under ``$defs``. Pieces of a text
lie in its first half, or in its second, or are an end of the first and a beginning of the second:
``(六)?安(市)?``; so a text of n words takes n log n, where a list of its pieces would take the square. Over
:data:`SIZE` there is no guide. Lengths are checked, not guided, as is in any case what comes back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from chains.schemas.subschemas import HOLDING, NAMED, rebuilt

KEYWORD = "x-pointsman-copied"
SIZE = 12_500  # characters of a pattern: some 1,400 of English or 800 of Chinese, 0.14 s of XGrammar's
CHARACTERS = 4_000  # of sources that are looked at for one
_REACH = 24  # words on either side of where a text is halved: a piece of so many is there always
_LOOKS = 10_000  # places of a piece in a source that are looked at
_BESIDE = ("type", "minLength", "maxLength", "title", "description", "default", "examples", "deprecated")
_UNSPACED = (  # first and last character of scripts without spaces
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x3040, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # kana and Han
)
_SPECIAL = frozenset(r"\.[]{}()*+?^$|/")  # in a pattern


_Word = tuple[str, str]  # what parts it from the word before, and itself; both as a pattern has them


def misuse(schema: object, place: str = "$") -> str | None:
    """What is wrong with the keyword anywhere in ``schema``, and where; None: nothing."""
    for at, part in _parts(schema, place):
        if KEYWORD not in part:
            continue
        if not isinstance(part[KEYWORD], bool):
            return f"{at}: {KEYWORD} must be true or false, found {part[KEYWORD]!r}"[:200]
        if part[KEYWORD] and part.get("type") != "string":
            return f'{at}: {KEYWORD} is for {{"type": "string"}}; give null beside it by anyOf'
        if part[KEYWORD] and (others := [key for key in part if key not in (*_BESIDE, KEYWORD)]):
            return f"{at}: {KEYWORD} leaves no room for {', '.join(others)[:80]}: leave one out"
    return None


def copies(schema: object) -> bool:
    """Whether a string of ``schema`` must be copied."""
    return any(part.get(KEYWORD) is True for _, part in _parts(schema, ""))


def stands_in(piece: str, sources: Sequence[str]) -> bool:
    """Whether ``piece`` stands in one of ``sources``, from where a word begins to where one ends."""
    if not piece:
        return False
    for source in sources:
        start = -1
        for _ in range(_LOOKS):
            if (start := source.find(piece, start + 1)) < 0:
                break
            if _parted(source, start) and _parted(source, start + len(piece)):
                return True
    return False


def guide(schema: dict[str, Any], sources: Sequence[str]) -> dict[str, Any] | None:
    """``schema`` whose copied strings are pieces of ``sources``; None: there are none, or too many."""
    if (pattern := _pattern(sources)) is None:
        return None
    named, taken = KEYWORD, schema.get("$defs", {})
    while named in taken:
        named += "_"
    guided: dict[str, Any] = _rewritten(schema, {"$ref": f"#/$defs/{named}"})
    return {**guided, "$defs": {**guided.get("$defs", {}), named: {"type": "string", "pattern": pattern}}}


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` without the keyword, for an engine that is not guided in it."""
    found: dict[str, Any] = _rewritten(schema, None)
    return found


def _rewritten(schema: dict[str, Any], copied: dict[str, Any] | None) -> Any:
    """``schema`` without the keyword; ``copied`` stands for a copied string, if given."""

    def change(part: dict[str, Any]) -> None:
        if part.pop(KEYWORD, None) is True and copied is not None:
            part.clear()
            part.update(copied)

    return rebuilt(schema, change)


def _parts(schema: object, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in ``schema`` and its place, itself first; a property's name is no keyword."""
    waiting: list[tuple[str, object]] = [(place, schema)]
    while waiting:
        at, part = waiting.pop()
        if isinstance(part, list):
            waiting += ((f"{at}[{index}]", value) for index, value in enumerate(part))
        if not isinstance(part, dict):
            continue
        yield at, part
        for key, value in part.items():
            if key in NAMED and isinstance(value, dict):
                waiting += ((f"{at}.{key}.{name}", each) for name, each in value.items())
            elif key in HOLDING:
                waiting.append((f"{at}.{key}", value))


def _pattern(sources: Sequence[str]) -> str | None:
    if sum(map(len, sources)) > CHARACTERS:
        return None
    ways: dict[str, None] = {}  # in order, each once
    for source in sources:
        for line in "".join("\n" if _raw(char) else char for char in source).split("\n"):
            ways.update(dict.fromkeys(_pieces(_words(line))))
    pattern = f"^({'|'.join(ways)})$"
    return pattern if ways and len(pattern) <= SIZE else None


def _raw(char: str) -> bool:
    """Whether JSON escapes ``char``: XGrammar reads a pattern as the JSON is written, so no piece has it."""
    return char in '"\\' or ord(char) < 0x20


def _words(line: str) -> list[_Word]:
    places = [at for at in range(len(line) + 1) if _parted(line, at)]
    words, space = [], ""
    for start, end in pairwise(places):
        text = "".join(f"\\{char}" if char in _SPECIAL else char for char in line[start:end])
        if text.isspace():
            space += text
        else:
            words.append((space, text))
            space = ""
    return words


def _pieces(words: Sequence[_Word]) -> Iterator[str]:
    """Patterns that match the pieces of ``words``, and nothing else."""
    if len(words) < 2:
        yield from (text for _, text in words)
        return
    middle = len(words) // 2
    yield from _pieces(words[:middle])
    yield from _pieces(words[middle:])
    before = after = ""
    for space, text in words[max(0, middle - _REACH) : middle]:
        before = (f"({before}{space})?" if before else "") + text
    for space, text in reversed(words[middle : middle + _REACH]):
        after = space + text + (f"({after})?" if after else "")
    yield before + after


def _parted(text: str, at: int) -> bool:
    """Whether a word may begin or end before ``text[at]``."""
    if at in {0, len(text)}:
        return True
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M"):  # belongs to the letter before it
        return False
    if not (before.isalnum() and after.isalnum()) or before.isdigit() != after.isdigit():
        return True
    return _unspaced(before) or _unspaced(after)


def _unspaced(char: str) -> bool:
    code = ord(char)
    if code < _UNSPACED[0][0]:
        return False
    return any(first <= code <= last for first, last in _UNSPACED)
