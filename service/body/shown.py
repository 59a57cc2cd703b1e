"""What a client sent, in the words of the errors about it."""

from __future__ import annotations


def kind_of(value: object) -> str:
    """What ``value`` is, in the words of the errors."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: object) -> str:
    """``value`` if it is short enough to be told, else what it is."""
    return repr(value)[:80] if isinstance(value, str | int | float | bool) else kind_of(value)
