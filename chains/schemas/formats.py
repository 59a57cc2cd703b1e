"""The formats of texts that an answer is checked for; all others say nothing to the check.

They are those of JSON Schema 2020-12, section 7.3, and ``byte`` and ``base64``, which OpenAPI and others have
for what RFC 4648 says. Where jsonschema's own would need what is not installed, or reads too much, ours does.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from typing import Any

import idna
from jsonschema import FormatChecker, ValidationError

from chains.schemas.unreadable import unreadable

_JSONSCHEMAS = ("date", "email", "idn-email", "ipv4", "ipv6", "uuid")
_OFFSET = r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_TIME = re.compile(rf"(\d\d:\d\d):(\d\d)(?:\.\d+)?{_OFFSET}", re.ASCII)
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](.+)", re.ASCII)
_DURATION = re.compile(
    r"P(?!$)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)", re.ASCII
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:"
_PLAIN = r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2}"  # of RFC 3986, but for brackets and #
_WIDE = rf"{_PLAIN}|[\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\U00010000-\U000dfffd]"  # of RFC 3987
_TEMPLATE = re.compile(
    r"(?:[^\x00-\x20\"'<>\\^`{|}%\x7f]|%[0-9A-Fa-f]{2}"
    r"|\{[+#./;?&=,!@|]?[\w.%]+(?::[1-9]\d{0,3}|\*)?(?:,[\w.%]+(?::[1-9]\d{0,3}|\*)?)*\})*",
    re.ASCII,
)
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_RELATIVE = re.compile(r"(?:0|[1-9]\d*)(?:#|(?:/(?:[^~/]|~[01])*)*)", re.ASCII)


def _reference(characters: str, scheme: str) -> re.Pattern[str]:
    """An address of ``characters``; a literal IPv6 may stand where its host does."""
    host = rf"(?://(?:(?:{characters})*@)?\[[0-9A-Fa-f:.]+\](?=[:/?#]|\Z))?"
    return re.compile(rf"{scheme}{host}(?:{characters})*(?:#(?:{characters})*)?")


_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "duration": _DURATION,
    "hostname": _HOST,
    "uri": _reference(_PLAIN, _SCHEME),
    "uri-reference": _reference(_PLAIN, f"(?:{_SCHEME})?"),
    "iri": _reference(_WIDE, _SCHEME),
    "iri-reference": _reference(_WIDE, f"(?:{_SCHEME})?"),
    "uri-template": _TEMPLATE,
    "json-pointer": _POINTER,
    "relative-json-pointer": _RELATIVE,
}


def format_checker() -> FormatChecker:
    """One that knows ``CHECKED``."""
    checker = FormatChecker(formats=_JSONSCHEMAS)
    for name, fits in _OURS.items():
        checker.checks(name)(_of_text(fits))
    return checker


def fits_format(
    validator: Any, name: str, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """The keyword ``format``: a text that is not of the format ``name`` is an error."""
    if not validator.format_checker.conforms(instance, name):
        yield ValidationError(f"{instance!r} does not fit the format {name!r}")


def _of_text(fits: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or fits(value)


def _by(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _is_time(text: str) -> bool:
    """A full-time of RFC 3339; a second may be the 60th."""
    if (found := _TIME.fullmatch(text)) is None:
        return False
    with contextlib.suppress(ValueError):
        time.fromisoformat(found[1])
        return int(found[2]) <= 60
    return False


def _is_date_time(text: str) -> bool:
    if (found := _DATE_TIME.fullmatch(text)) is None:
        return False
    with contextlib.suppress(ValueError):
        date.fromisoformat(found[1])
        return _is_time(found[2])
    return False


def _is_idn_hostname(text: str) -> bool:
    with contextlib.suppress(idna.IDNAError, UnicodeError):
        return bool(idna.encode(text, std3_rules=True))
    return False


def _is_base64(text: str) -> bool:
    with contextlib.suppress(binascii.Error, ValueError):
        base64.b64decode(text, validate=True)
        return True
    return False


_OURS: Mapping[str, Callable[[str], bool]] = {
    **{name: _by(pattern) for name, pattern in _PATTERNS.items()},
    "time": _is_time,
    "date-time": _is_date_time,
    "idn-hostname": _is_idn_hostname,
    "regex": lambda text: unreadable(text) is None,
    "base64": _is_base64,
    "byte": _is_base64,
}
CHECKED = frozenset({*_JSONSCHEMAS, *_OURS})
