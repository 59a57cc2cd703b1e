"""Whether a text's ``pattern`` asks for all that its ``format`` does: zod writes a UUID in both.

Only patterns that list hexadecimal digits block by block, or a UUID itself, are known for it.
"""

from __future__ import annotations

import re

_HEX = r"\[(?:0-9a-fA-F|0-9A-Fa-f|0-9a-f|0-9A-F)\]"
_SOME = r"\[(?:[0-9](?:-[0-9])?|[a-f](?:-[a-f])?|[A-F](?:-[A-F])?)+\]"
_DIGIT = rf"(?:{_SOME}|[0-9a-fA-F])"


def _block(digits: int) -> str:
    fewer = rf"{{{digits - 1}}}"
    one = rf"{_DIGIT}{_HEX}{re.escape(fewer)}"
    return rf"(?:{_HEX}{re.escape(f'{{{digits}}}')}|{one}|[0-9a-fA-F]{{{digits}}})"


_UUID = "-".join(map(_block, (8, 4, 4, 4, 12)))
_UUIDS = re.compile(rf"\^(?:{_UUID}|\((?:\?:)?{_UUID}(?:\|{_UUID})*\))\$")


def implies(pattern: object, form: object) -> bool:
    """Whether whatever fits ``pattern`` is of the format ``form``, as far as it is seen here."""
    return form == "uuid" and isinstance(pattern, str) and _UUIDS.fullmatch(pattern) is not None
