"""A call that a thought runs into: ``I look it up Action: stock Action Input: {"article": "A-1"}``.

Elsewhere a label stands at the beginning of a line or of a sentence. Within one, words may only talk about a
call, so it is one only where the name of a tool, the label of the input and a brace follow, all in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chains.labels import words_of

_BEFORE = r"(?<=[ \t,，;；])"
_SPACE = r"\s{0,40}"
_COLON = (r"[ \t]?\d{0,2}[ \t*_`]{0,40}", r"[:：]", r"[*_`]{0,3}")
_HEAD = (r"[*_`]{0,3}", words_of("action"), *_COLON)
_REST = (
    *(r"[ \t`*\"'\[]{0,40}", r"(?P<tool>[\w.-]{1,80})", r"[`*\"'\]]{0,5}", r"[\s,，;；]{1,40}"),
    *(r"[*_`]{0,3}", words_of("input"), *_COLON, _SPACE, r"(?:`{1,3}\w{0,20})?", _SPACE, r"\{"),
)


def calls_within(text: str, at: int, tools: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where, from ``at`` on, the labels of such actions begin and end."""
    for match in _WHOLE.finditer(text, at):
        if match["tool"] in tools:
            yield match.start(), match.end("head")


def begun_within(text: str, at: int) -> int:
    """Where, from ``at`` on, the text may turn out to be one; its end: nowhere."""
    found = _BEGUN.search(text, at)
    return found.start() if found else len(text)


def _one(atom: str | Sequence[str]) -> str:
    """The pattern of an atom: one already, or words of which it is one."""
    return atom if isinstance(atom, str) else rf"(?:{'|'.join(map(_spelled, atom))})"


def _spelled(word: str) -> str:
    return word.replace(" ", r"[ _\t]{1,3}")


def _begun(atoms: Sequence[str | Sequence[str]]) -> str:
    """A pattern of all that ``atoms``, one behind the other, may begin with at the end of a text."""
    pattern = r"\Z"
    for atom in reversed(atoms):
        whole = rf"{_one(atom)}(?:\Z|{pattern})"
        if isinstance(atom, str):
            pattern = whole
        else:
            begun = (word[:length] for word in atom for length in range(len(word), 0, -1))
            pattern = rf"(?:(?:{'|'.join(map(_spelled, begun))})\Z|{whole})"
    return pattern


_WHOLE = re.compile(rf"{_BEFORE}(?P<head>{''.join(map(_one, _HEAD))}){''.join(map(_one, _REST))}", re.I)
_BEGUN = re.compile(_BEFORE + _begun([*_HEAD, *_REST[:-1]]).replace("?P<tool>", "?:"), re.I)
