"""Records of numbers that require names: in the words of ``properties``, which XGrammar holds.

It passes over a required name that ``properties`` does not list, and llguidance, which takes it, writes
numbers of any number of digits. zod writes such records for an ``enum`` of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.schemas.disjoint import mapping_in, names_in
from chains.schemas.subschemas import rebuilt

_NUMBER = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_ABOUT = frozenset({"title", "description", "default", "examples"})  # no rules


def listed(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """``part`` with the names that it requires among its ``properties``; None: it is no such record."""
    value, named = part.get("additionalProperties"), mapping_in(part, "properties")
    required = names_in(part, "required")
    if part.get("type") != "object" or "patternProperties" in part or required <= named.keys():
        return None
    if not isinstance(value, Mapping) or not _is_of_numbers(value):
        return None
    said = {key: value[key] for key in _NUMBER if key in value}
    if "propertyNames" not in part:
        return {**part, "properties": {**named, **dict.fromkeys(sorted(required - named.keys()), said)}}
    names = _names(part["propertyNames"])
    if names is None or not required | named.keys() <= set(names):
        return None
    kept = {key: rule for key, rule in part.items() if key != "propertyNames"}
    properties = {**named, **{name: said for name in names if name not in named}}
    return {**kept, "properties": properties, "additionalProperties": False}


def with_listed(schema: Any) -> Any:
    """``schema``, which stays as it is, with its records so, at any depth."""

    def change(part: dict[str, Any]) -> None:
        if (said := listed(part)) is not None:
            part.clear()
            part |= said

    return rebuilt(schema, change)


def _is_of_numbers(schema: Mapping[str, Any]) -> bool:
    kinds = names_in(schema, "type")
    return "number" in kinds and kinds <= {"number", "null"} and schema.keys() <= {*_NUMBER, *_ABOUT}


def _names(rule: object) -> list[str] | None:
    """All the names that a rule for names lets pass; None: it lists none."""
    if not isinstance(rule, Mapping) or not rule.keys() <= {"type", "enum"}:
        return None
    names = rule.get("enum")
    if rule.get("type", "string") != "string" or not isinstance(names, list):
        return None
    return names if all(isinstance(name, str) for name in names) else None
