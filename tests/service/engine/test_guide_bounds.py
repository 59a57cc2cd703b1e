"""What a schema leaves open is bounded, and what it says stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.engine.guide_bounds import Bounds

BOUNDS = Bounds(characters=9, digits=2, items=2)
TEXT = {"type": "string"}
SHORT = {"type": "string", "maxLength": 9}
OPEN = {"type": "object"}
LONG = Bounds(characters=100)


@pytest.mark.parametrize(
    ("schema", "bounded"),
    [
        (TEXT, SHORT),
        ({"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": 9}),
        ({"type": "string", "minLength": 12}, {"type": "string", "minLength": 12, "maxLength": 12}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": SHORT, "maxItems": 2}),
        (
            {"type": "object", "properties": {"type": TEXT}, "$defs": {"a": {"anyOf": [TEXT, True]}}},
            {"type": "object", "properties": {"type": SHORT}, "$defs": {"a": {"anyOf": [SHORT, True]}}},
        ),
        ({"enum": ["a"]}, {"enum": ["a"]}),
        ({"type": "integer"}, {"type": "integer", "minimum": -99, "maximum": 99}),
        ({"type": "number", "minimum": 5}, {"type": "number", "minimum": 5, "maximum": 99}),
        ({"type": "number", "exclusiveMinimum": 500}, {"type": "number", "exclusiveMinimum": 500}),
        ({"type": "integer", "const": 500}, {"type": "integer", "const": 500}),
    ],
)
def test_what_a_schema_leaves_open_is_bounded_at_any_depth(schema: Any, bounded: Any) -> None:
    before = json.dumps(schema)
    assert BOUNDS.over(schema) == bounded
    assert json.dumps(schema) == before


@pytest.mark.parametrize("key", [{"maxLength": 500}, {"format": "uuid"}, {"pattern": "a+"}, {"enum": ["a"]}])
def test_a_string_that_has_a_rule_keeps_it(key: dict[str, Any]) -> None:
    assert BOUNDS.over(TEXT | key) == TEXT | key


def test_only_white_space_is_bounded_where_nothing_else_is_said() -> None:
    assert Bounds.read({}).over({"type": "array", "items": TEXT}) == {"type": "array", "items": TEXT}
    assert Bounds.read({"POINTSMAN_GUIDED_ITEMS": "3", "POINTSMAN_GUIDED_DIGITS": "40"}) == Bounds(
        None, 15, 3
    )
    with pytest.raises(ValueError, match="POINTSMAN_GUIDED_CHARACTERS must be a positive number, found '-1'"):
        Bounds.read({"POINTSMAN_GUIDED_CHARACTERS": "-1"})


@pytest.mark.parametrize(
    "more",
    [
        {"properties": {"a": SHORT}},
        {"additionalProperties": SHORT},
        {"additionalProperties": False},
        {"required": ["a"]},
        {"minProperties": 3},
        {"enum": [{"a": 1}]},
    ],
)
def test_an_object_of_which_something_is_said_keeps_it(more: dict[str, Any]) -> None:
    assert BOUNDS.over(OPEN | more) == OPEN | more


def test_an_open_object_is_bounded_only_where_lists_are() -> None:
    assert Bounds(characters=9, digits=2).over(OPEN) == OPEN
    assert Bounds(items=2).over(OPEN) != OPEN


def test_a_format_beside_other_rules_stays() -> None:
    for more in ({"maxLength": 20}, {"minLength": 3}, {"pattern": "^a"}, {"enum": ["a@b.org", "a"]}):
        ruled = TEXT | {"format": "email"} | more
        assert LONG.over(ruled) == ruled
    assert Bounds().over(TEXT | {"format": "email"}) == TEXT | {"format": "email"}
