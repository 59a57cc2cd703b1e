"""Whether a pattern names a character that JSON writes otherwise: a quote, a backslash, a control character.

XGrammar writes what a pattern names as it stands, within the quotes of a text, so that the text is no JSON.
Of a class that does not name them, such as ``[^a]`` or ``.``, it leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ONE = r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]+\}|c[A-Za-z]|.)|[^\\]"
_CHARACTER = re.compile(_ONE, re.DOTALL)
_PART = re.compile(rf"\[(\^?)(\]?(?:\\.|[^\]\\])*)\]|({_ONE})", re.DOTALL)  # a class, or one character
_CONTROLS = frozenset("nrtfv0")  # behind a backslash
_FIRST = 0x20  # that is none


def names_escaped(pattern: str) -> bool:
    """Whether ``pattern`` names such a character, also as one of a class; not as what a class leaves out."""
    for found in _PART.finditer(pattern):
        if found[3] is not None:
            if _is_escaped(found[3]):
                return True
        elif not found[1] and any(map(_is_escaped, _single(found[2]))):
            return True
    return False


def _single(inside: str) -> Iterator[str]:
    r"""What a class names one by one; of a range, such as ``!-~``, the last and what no number stands for."""
    written = _CHARACTER.findall(inside)
    for index, one in enumerate(written):
        is_start = written[index + 1 : index + 2] == ["-"] and index + 2 < len(written)
        if not is_start or one[1:] in _CONTROLS:
            yield r"\x08" if one == r"\b" else one


def _is_escaped(one: str) -> bool:
    """Whether the character that a pattern writes as ``one`` is such a character."""
    if len(one) == 1:
        return one == '"' or ord(one) < _FIRST
    kind, digits = one[1], one[2:].strip("{}")
    if kind in "xu" and digits:
        return int(digits, 16) < _FIRST or chr(min(int(digits, 16), 0xFFFF)) in '"\\'
    return kind in _CONTROLS or kind in '"\\' or (kind == "c" and bool(digits)) or ord(kind) < _FIRST
