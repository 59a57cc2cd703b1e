"""JSON as Python reads it, without what it lets through and nothing behind it can carry."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 100  # lists and objects within each other; chat templates and encoders recurse on them


_SHOWN = 60  # characters of an object that a message shows


def loads(text: str, *, keys_once: bool = False) -> Any:
    """The value that ``text`` holds; with ``keys_once`` none of its objects may give a key twice.

    Raises:
        ValueError: it is no JSON, is nested deeper than ``DEEPEST``, or holds half a surrogate pair; the
            message goes on from "is not JSON: ".
    """
    try:
        value = json.loads(text, object_pairs_hook=_once if keys_once else None)
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of ``pairs``, of which Python would keep the last of a key alone."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is given twice, in {json.dumps(found)[:_SHOWN]}...")
    return found


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} deep"


def _depth(value: Any) -> int:
    """How many lists and objects stand within each other, counted without recursion."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]
    return depth
