"""Schemas that let nothing pass, held against jsonschema where it has such a value at all."""

from __future__ import annotations

from typing import Any

import pytest

from chains.schemas.unpassable import empty_choice, unpassable

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
LIST = {"type": "array", "items": TEXT}


def holding(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"], **more}


EMPTY = [
    (False, "false"),
    ({"enum": []}, "enum"),
    ({**TEXT, "enum": [1, None]}, "enum against type"),
    ({**WHOLE, "const": "x"}, "const against type"),
    ({**TEXT, "const": "2024-02-30", "format": "date"}, "const against format"),
    ({"enum": ["a", "bb"], "minLength": 3}, "enum against minLength"),
    ({"enum": ["a", "bbb"], "maxLength": 2, "minLength": 2}, "enum against maxLength"),
    ({"const": 5, "exclusiveMinimum": 5}, "const against exclusiveMinimum"),
    ({"const": 0.35, "multipleOf": 0.1}, "const against multipleOf"),
    ({**NUMBER, "multipleOf": 0.5, "minimum": 0.1, "maximum": 0.4}, "multipleOf against minimum and maximum"),
    (
        {**WHOLE, "multipleOf": 1.5, "minimum": 1, "exclusiveMaximum": 3},
        "multipleOf against minimum and exclusiveMaximum",
    ),
    ({**NUMBER, "minimum": 5, "maximum": 3}, "minimum above maximum"),
    ({**NUMBER, "exclusiveMinimum": 3, "maximum": 3}, "exclusiveMinimum above maximum"),
    ({**WHOLE, "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "exclusiveMinimum above exclusiveMaximum"),
    ({**WHOLE, "minimum": 3.2, "maximum": 3.8}, "minimum above maximum"),
    ({**TEXT, "minLength": 3, "maxLength": 2}, "minLength above maxLength"),
    ({**LIST, "minItems": 3, "maxItems": 2}, "minItems above maxItems"),
    ({"type": "object", "minProperties": 3, "maxProperties": 2}, "minProperties above maxProperties"),
    ({**TEXT, "pattern": r"^[^\s\S]$"}, "pattern"),
    ({**TEXT, "pattern": r"a[^\d\D]+"}, "pattern"),
]
SOME = [
    True,
    {},
    {**NUMBER, "minimum": 3, "maximum": 3},
    {**WHOLE, "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"minimum": 5, "maximum": 3},  # a text
    {"type": ["integer", "string"], "minimum": 5, "maximum": 3},
    {**WHOLE, "enum": ["a", 2.0]},
    {**TEXT, "const": "2024-02-29", "format": "date"},
    {"const": 5, "format": "date", "maxLength": 0},
    {**TEXT, "const": "a", "format": "a-name-of-ours"},
    {"enum": ["a", 7], "minLength": 3},
    {"const": 0.3, "multipleOf": 0.1},
    {**NUMBER, "multipleOf": 0.5, "minimum": 0.1, "maximum": 0.5},
    {**WHOLE, "multipleOf": 0.4, "minimum": 1, "maximum": 2},
    {**TEXT, "pattern": r"^[^\s\S]?$"},
    {**TEXT, "pattern": r"^([^\s\S]|a)$"},
    {**TEXT, "pattern": r"^[^\s\S]{0,2}$"},
    {**TEXT, "pattern": r"^[^\s\d]\[^\s\S\]$"},
    {"type": "object", "properties": {"b": False}},
    {"type": "object", "properties": {"b": {"enum": []}}},
    {"type": "array", "items": False},
    {"anyOf": [False, TEXT]},
    {"not": False},
    {"type": "array", "prefixItems": [TEXT, False]},
]


@pytest.mark.parametrize(("part", "keyword"), EMPTY)
def test_what_lets_nothing_pass_has_a_keyword_and_a_place(part: Any, keyword: str) -> None:
    assert unpassable(part) == (keyword, "#")
    assert unpassable(holding(part)) == (keyword, "#/properties/a")
    assert unpassable(holding({"$ref": "#/$defs/x"}, **{"$defs": {"x": part}})) == (keyword, "#/$defs/x")
    assert unpassable({"type": "array", "items": part, "minItems": 1}) == (keyword, "#/items")
    assert unpassable({"allOf": [TEXT, part]}) == (keyword, "#/allOf/1")
    assert unpassable({"anyOf": [part, False]}) == (keyword, "#/anyOf/0")
    for may in ({"anyOf": [part, TEXT]}, {**holding(part), "required": []}, {"type": "array", "items": part}):
        assert unpassable(may) is None


@pytest.mark.parametrize("part", SOME)
def test_where_something_may_pass_nothing_is_told(part: Any) -> None:
    assert unpassable(holding(part)) is None


def test_a_choice_of_nothing_is_told_wherever_it_stands() -> None:
    for keyword in ("anyOf", "oneOf"):
        assert empty_choice({"type": "object", "properties": {"b": {keyword: []}}}) == (
            keyword,
            "#/properties/b",
        )
        assert empty_choice({"properties": {"notes": {keyword: []}}}) == (keyword, "#/properties/notes")
        assert empty_choice({"not": {keyword: []}}) is None
        assert empty_choice({"properties": {keyword: TEXT}, "enum": [{keyword: []}]}) is None


@pytest.mark.parametrize(
    "schema",
    [
        *(
            None,
            5,
            [],
            {"type": {}, "enum": 3, "anyOf": {}, "$ref": 4, "allOf": 1, "pattern": 3, "minimum": "x"},
        ),
        {"type": [[]], "enum": ["a"], "properties": 3, "required": 2, "minItems": []},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "array", "minItems": float("nan"), "prefixItems": 3, "items": []},
    ],
)
def test_what_is_no_schema_is_looked_at_without_an_error(schema: Any) -> None:
    unpassable(schema)
    empty_choice(schema)
