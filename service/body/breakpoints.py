"""OpenAI's mark in a part of text at which a prompt that is used again ends.

The engine's cache finds such a beginning by itself, so the mark changes no answer. It is looked at all the
same, as OpenAI does: one that says nothing is a slip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.body.known import CACHE_BREAKPOINT
from service.body.shown import kind_of
from service.errors import InvalidRequest

NAME = "prompt_cache_breakpoint"
MODE = "explicit"
LIFETIMES = ("30m", "12h")


def check_breakpoint(part: Mapping[str, Any], at: str) -> None:
    """Refuse the mark of the ``part`` at ``at`` that OpenAI would refuse; null is none.

    Raises:
        UnknownField: it holds what nobody knows.
        InvalidRequest: it is no object, or a value of it is not one of OpenAI's.
    """
    if (mark := part.get(NAME)) is None:
        return
    place = f"{at}.{NAME}"
    if not isinstance(mark, dict):
        raise InvalidRequest(f"{place} must be an object, found {kind_of(mark)}", place)
    CACHE_BREAKPOINT.check(mark, place)
    if mark.get("mode") != MODE:
        raise InvalidRequest(f"{place}.mode must be {MODE!r}, {_found(mark.get('mode'))}", f"{place}.mode")
    if (lifetime := mark.get("ttl")) is not None and lifetime not in LIFETIMES:
        raise InvalidRequest(
            f"{place}.ttl must be one of {', '.join(LIFETIMES)}, {_found(lifetime)}", f"{place}.ttl"
        )


def _found(value: object) -> str:
    return f"found {value[:40]!r}" if isinstance(value, str) else f"found {kind_of(value)}"
