"""The fields of a row: what each must be, and how one that does not fit is told."""

from __future__ import annotations

from typing import Any

from training.data.row import json_text

SHOWN = 120  # characters of a value, or of a row's names, that a message shows


class FieldError(ValueError):
    """A field that does not fit; ``args`` are its dotted path and what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field, self.problem = field, problem


def text_at(raw: dict[str, Any], key: str, at: str = "") -> str:
    """The text under ``key``; ``at`` is the dotted path of ``raw`` itself."""
    value = raw.get(key)
    if not isinstance(value, str):
        raise FieldError(f"{at}.{key}" if at else key, f"must be a text; {found(raw, key)}")
    return value


def list_at(raw: dict[str, Any], key: str) -> list[Any]:
    """The list under ``key``."""
    value = raw.get(key)
    if not isinstance(value, list):
        raise FieldError(key, f"must be a list; {found(raw, key)}")
    return value


def json_at(value: str, at: str) -> Any:
    """What the JSON text ``value`` holds; ``at`` is its dotted path."""
    try:
        return json_text.loads(value)
    except ValueError as exc:
        raise FieldError(at, f"is not JSON: {exc}") from exc


def found(raw: dict[str, Any], key: str) -> str:
    """What stands under ``key``, or which fields there are instead, in words."""
    return f"found {shown(raw[key])}" if key in raw else f"the row has {names(raw)}"


def names(raw: dict[str, Any]) -> str:
    """The row's fields by name."""
    return _cut(", ".join(map(str, raw)) or "no fields")


def shown(value: Any) -> str:
    """``value`` as Python writes it, null as JSON does; or its beginning and how long it is."""
    return "null" if value is None else _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"
