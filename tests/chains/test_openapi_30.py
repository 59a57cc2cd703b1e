"""Schemas of OpenAPI 3.0 let the same values pass when they are JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chains.openapi_30 import json_schema
from chains.schemas.schema import AnswerSchema


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"type": "string", "nullable": False}, ["a"], [None]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, ["a", None], ["b"]),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, ["a", None], ["b"]),
        ({"nullable": True, "allOf": [{"type": "object"}]}, [{}, None], ["b"]),
        ({"type": "object", "nullable": True, "oneOf": [{"required": ["a"]}]}, [{"a": 1}, None], [{}, 1]),
        ({"nullable": True}, [1, None], []),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, [0.1], [0, -1]),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": False}, [0], [-1]),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": True, "minimum": 1}, [1, 8.9], [9, 0]),
        ({"exclusiveMaximum": 9}, [8], [9]),
        ({"type": "array", "items": {"type": "integer", "nullable": True}}, [[1, None]], [["a"], None]),
        ({"properties": {"nullable": {"type": "null"}}}, [{"nullable": None}], [{"nullable": 1}]),
        ({"properties": {"a": {"type": "string", "nullable": True}}}, [{"a": None}], [{"a": 1}]),
        ({"additionalProperties": {"not": {"type": "string", "nullable": True}}}, [{"a": 1}], [{"a": None}]),
    ],
)  # fmt: skip
def test_what_fits(schema: dict[str, Any], fitting: list[Any], others: list[Any]) -> None:
    checked = AnswerSchema(json_schema(schema))
    assert [value for value in [*fitting, *others] if checked.problem(json.dumps(value)) is None] == fitting


def test_a_value_that_looks_like_a_schema_stays_as_it_is() -> None:
    value = {"nullable": True, "exclusiveMinimum": True}
    assert json_schema({"default": value, "example": value, "enum": [value]}) == {
        "default": value,
        "example": value,
        "enum": [value],
    }


def test_the_model_reads_what_null_stands_beside() -> None:
    assert json_schema({"type": "string", "description": "A day.", "nullable": True}) == {
        "type": ["string", "null"],
        "description": "A day.",
    }
    about = {"description": "A day.", "nullable": True, "anyOf": [{"type": "string"}]}
    assert json_schema(about) == {
        "description": "A day.",
        "anyOf": [{"anyOf": [{"type": "string"}]}, {"type": "null"}],
    }


def test_a_bound_that_excludes_itself_must_be_there() -> None:
    with pytest.raises(ValueError, match="exclusiveMinimum is true, and there is no minimum"):
        json_schema({"type": "number", "exclusiveMinimum": True})
