"""Why a pattern of a JSON schema can't be read, by ECMA-262 and by Python's ``regex`` alike."""

from __future__ import annotations

import re

import regex

_THEIRS = re.compile(
    r"(\\.)|\[\^?\](?![^\[]*\])", re.DOTALL
)  # an escape, or ECMA-262's class of all or of none
_ESCAPES = re.compile(r"(?:bad|incomplete) escape(?! \(end)|unknown property|invalid group reference")


def unreadable(pattern: str) -> str | None:
    """What is wrong with ``pattern``; None: it can be read, or has an escape that only ECMA-262 knows."""
    try:
        regex.compile(_THEIRS.sub(lambda found: found[1] or ".", pattern))
    except regex.error as exc:
        return None if _ESCAPES.match(str(exc)) else str(exc)
    except RecursionError:
        return "it is nested too deep"
    return None
