"""JSON as Python reads it, without what it lets through and nothing behind it can carry."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 100  # lists and objects within each other; chat templates and encoders recurse on them


def loads(text: str) -> Any:
    """The value that ``text`` holds.

    Raises:
        ValueError: it is no JSON, is nested deeper than ``DEEPEST``, or holds half a surrogate pair; the
            message goes on from "is not JSON: ".
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(_too_deep())
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as exc:
            half = f"\\u{ord(exc.object[exc.start]):04x}"
            raise ValueError(
                f"it holds {half}, half of a surrogate pair, which is no character; write the whole pair, or "
                "the character itself"
            ) from None
    return value


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} deep"


def _depth(value: Any) -> int:
    """How many lists and objects stand within each other, counted without recursion."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]
    return depth
