"""A text's ``pattern`` beside its ``format``: which of both says what the other does. zod writes both.

Only patterns that list hexadecimal digits block by block are known for it, and those of zod by their text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HEX = r"\[(?:0-9a-fA-F|0-9A-Fa-f|0-9a-f|0-9A-F)\]"
_SOME = r"\[(?:[0-9](?:-[0-9])?|[a-f](?:-[a-f])?|[A-F](?:-[A-F])?)+\]"
_DIGIT = rf"(?:{_SOME}|[0-9a-fA-F])"


def _block(digits: int) -> str:
    fewer = rf"{{{digits - 1}}}"
    one = rf"{_DIGIT}{_HEX}{re.escape(fewer)}"
    return rf"(?:{_HEX}{re.escape(f'{{{digits}}}')}|{one}|[0-9a-fA-F]{{{digits}}})"


_UUID = "-".join(map(_block, (8, 4, 4, 4, 12)))
_UUIDS = re.compile(rf"\^(?:{_UUID}|\((?:\?:)?{_UUID}(?:\|{_UUID})*\))\$")

_YEAR_4 = r"\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00"
_DATE = (
    rf"(?:(?:{_YEAR_4})-02-29|\d{{4}}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))"
)
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_OFFSET = r"([+-](?:[01]\d|2[0-3]):[0-5]\d)"
_TIME_BEFORE = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"  # of releases before 4.6.7
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])"
_GROUP = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    (
        f"({_GROUP}:){{7}}{_GROUP}",
        f"({_GROUP}:){{1,7}}:",
        f"({_GROUP}:){{1,6}}:{_GROUP}",
        *(f"({_GROUP}:){{1,{6 - n}}}(:{_GROUP}){{1,{n + 1}}}" for n in range(1, 5)),
        f"{_GROUP}:((:{_GROUP}){{1,6}})",
        f":((:{_GROUP}){{1,7}}|:)",
    )
)
_OF_ZOD: Mapping[str, frozenset[str]] = {  # 4.6: what fits one of them has the format
    "date": frozenset({f"^{_DATE}$"}),
    "date-time": frozenset({f"^{_DATE}T(?:{_TIME}(?:Z))$", f"^{_DATE}T(?:{_TIME}(?:Z|{_OFFSET}))$"}),
    "ipv4": frozenset({rf"^(?:{_BYTE}\.){{3}}{_BYTE}$"}),
    "ipv6": frozenset({f"^({_IPV6})$"}),
}
_BY_FORMAT: Mapping[
    str, frozenset[str]
] = {  # 4.6, and an e-mail before: what our guide writes for the format fits
    "email": frozenset(
        {
            r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$",
            r"^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@"
            r"(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$",
        }
    ),
    "duration": frozenset(
        {
            r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?"
            r"(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?)$"
        }
    ),
    "hostname": frozenset(
        {
            r"^(?=.{1,253}\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
            r"(?:\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\.?$"
        }
    ),
}
_JOINED: Mapping[str, Mapping[str, str]] = {  # by format: patterns, and what fits one of them and the format
    "date-time": {
        f"^{_DATE}T(?:{_TIME_BEFORE}(?:{zone}))$": f"^{_DATE}T(?:{_TIME}(?:{zone}))$"
        for zone in ("Z", f"Z|{_OFFSET}")
    }
}
_LEAST_ROOM = 500  # characters, that the guide of a URI fits in
_NEVER_EMPTY = frozenset(
    {"email", "date", "time", "date-time", "duration", "ipv4", "ipv6", "hostname", "uuid", "uri"}
)


def joined(pattern: object, form: object) -> str | None:
    """A pattern of the texts that fit ``pattern`` and are of the format ``form``; None: none is known here.

    Mostly ``pattern`` itself: whatever fits it has the format.
    """
    if not isinstance(pattern, str) or not isinstance(form, str):
        return None
    if pattern in _OF_ZOD.get(form, ()) or (form == "uuid" and _UUIDS.fullmatch(pattern)):
        return pattern
    return _JOINED.get(form, {}).get(pattern)


def is_implied(pattern: object, form: object) -> bool:
    """Whether whatever our guide writes for the format ``form`` fits ``pattern``."""
    return isinstance(form, str) and isinstance(pattern, str) and pattern in _BY_FORMAT.get(form, ())


def fits_length(keyword: str, schema: Mapping[str, Any]) -> bool:
    """Whether what our guide writes for the format of ``schema`` is as long as ``keyword`` says.

    A text that has a format is not empty; pydantic says so, and bounds a URL at 2,083 characters.
    """
    bound, form = schema[keyword], schema.get("format")
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not isinstance(form, str):
        return False
    if "pattern" in schema:
        return False
    if keyword == "minLength":
        return bound <= 1 and form in _NEVER_EMPTY
    return form == "uri" and bound >= _LEAST_ROOM
