"""What XGrammar refuses or reads wrong, and holds once it is said in its words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.engine.for_xgrammar import for_xgrammar
from tests.service.engine.compilers import DEMO, called, compiled, guided

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
PAIR = {"type": "array", "items": [TEXT, WHOLE], "minItems": 2, "maxItems": 2}  # zod 3's tuple
DRAFT_7 = {"type": "array", "items": [TEXT, WHOLE], "additionalItems": False}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize(
    ("schema", "fitting", "misfits"),
    [
        (closed(a={"type": "array"}), [{"a": []}, {"a": [1, "b"]}], [{"a": 1}]),
        (closed(a={"type": "array", "minItems": 1}), [{"a": [1]}, {"a": ["b", 1]}], [{"a": []}]),
        (closed(a=PAIR), [{"a": ["b", 1]}], [{"a": ["b"]}, {"a": [1, 1]}, {"a": ["b", 1, 2]}]),
        (closed(a=DRAFT_7), [{"a": ["b", 1]}, {"a": []}], [{"a": [1]}, {"a": ["b", 1, 2]}]),
        (
            closed(a={**DRAFT_7, "additionalItems": WHOLE, "minItems": 3}),
            [{"a": ["b", 1, 2]}],
            [{"a": ["b", 1]}],
        ),
        (
            closed(a={"type": "array", "prefixItems": [TEXT] * 10, "minItems": 10}),
            [{"a": ["b"] * 10}],
            [{"a": []}],
        ),
        (
            closed(a={"type": "array", "prefixItems": [TEXT, WHOLE], "maxItems": 1}),
            [{"a": ["b"]}],
            [{"a": ["b", 1]}],
        ),
        (closed(a={**WHOLE, "minimum": 0.5}), [{"a": 1}], [{"a": 0}]),
        (
            closed(a={**WHOLE, "exclusiveMinimum": 0.5, "exclusiveMaximum": 2.5}),
            [{"a": 1}, {"a": 2}],
            [{"a": 0}, {"a": 3}],
        ),
        (closed(a={"type": ["integer", "null"], "maximum": -0.5}), [{"a": -1}, {"a": None}], [{"a": 0}]),
        (closed(a={**WHOLE, "minimum": 3, "exclusiveMinimum": 0.5}), [{"a": 3}], [{"a": 1}]),
        (closed(a={**TEXT, "minLength": 2.0, "maxLength": 3.0}), [{"a": "xx"}], [{"a": "x"}, {"a": "xxxx"}]),
        (closed(a={"type": "array", "items": WHOLE, "minItems": 1.0}), [{"a": [1]}], [{"a": []}]),
        (
            closed(a={**WHOLE, "multipleOf": 5, "minimum": 1, "exclusiveMaximum": 20}),
            [{"a": 5}, {"a": 15}],
            [{"a": 0}, {"a": 7}, {"a": 20}],
        ),
        (
            closed(a={"type": "number", "multipleOf": 10.0, "exclusiveMinimum": 0, "maximum": 20.5}),
            [{"a": 10}, {"a": 20}],
            [{"a": 0}, {"a": 5}, {"a": 30}],
        ),
        (
            closed(a={**WHOLE, "multipleOf": 7}),
            [{"a": 0}, {"a": 7}, {"a": 7 * 987654}],
            [{"a": 1}, {"a": 7 * 987654 + 1}],
        ),
        (closed(a={**WHOLE, "multipleOf": 1000}), [{"a": 33000}], [{"a": 33001}, {"a": 3300}]),
        (
            closed(a={"type": ["integer", "null"], "multipleOf": 5, "minimum": 0, "maximum": 9}),
            [{"a": 5}, {"a": None}],
            [{"a": 7}, {"a": "x"}],
        ),
        (closed(a=TEXT, b=False), [{"a": "x"}], [{"a": "x", "b": 1}, {"b": 1}]),
        (closed(a={"anyOf": [False, WHOLE]}), [{"a": 1}], [{"a": "x"}]),
        (
            {**closed(a={"$ref": "#/definitions/a~1b"}), "definitions": {"a/b": WHOLE}},
            [{"a": 1}],
            [{"a": "x"}],
        ),
        (
            {**closed(a={"$ref": "#/definitions/Foo%3Cint%3E"}), "definitions": {"Foo<int>": WHOLE}},
            [{"a": 1}],
            [{"a": "x"}],
        ),
        (
            {**closed(a=WHOLE, b={"$ref": "#/$defs/x/anyOf/1"}), "$defs": {"x": {"anyOf": [TEXT, WHOLE]}}},
            [{"a": 1, "b": 2}],
            [{"a": 1, "b": "x"}],
        ),
        (
            {
                **closed(a={"$ref": "#/$defs/n~0"}),
                "$defs": {"n~": closed(a={"anyOf": [WHOLE, {"$ref": "#/$defs/n~0"}]})},
            },
            [{"a": {"a": 1}}, {"a": {"a": {"a": 1}}}],
            [{"a": 1}],
        ),
    ],
)
def test_it_is_held_in_forms_and_calls(
    schema: Any, fitting: list[Any], misfits: list[Any], bounds: Any
) -> None:
    before = json.dumps(schema)
    for compiler in (compiled, called, guided):
        fits = compiler(schema, bounds)
        assert all(fits(json.dumps(value)) for value in fitting), compiler
        assert not any(fits(json.dumps(value)) for value in misfits), compiler
    assert json.dumps(schema) == before


@pytest.mark.parametrize("pattern", ['^"a"$', r"^a\n$", r"^\\a$", "^[\n]a$"])
def test_of_a_pattern_that_can_not_be_said_what_is_written_is_json(pattern: str) -> None:
    schema = closed(a={**TEXT, "pattern": pattern})
    fits = called(schema)
    assert fits('{"a": "\\"a\\""}')
    assert not fits('{"a": ""a""}')
    assert not called(schema, DEMO)(json.dumps({"a": "x" * 101}))  # and comes to its end
    named = {"type": "object", "patternProperties": {pattern: WHOLE}, "additionalProperties": False}
    assert called(named)('{"\\"": 1}')


def test_what_it_takes_stays() -> None:
    schema = closed(
        a={**WHOLE, "minimum": 1.0}, b={"$ref": "#/$defs/x"}, c={"type": "number", "minimum": 0.5}
    )
    schema["$defs"] = {"x": {"type": "array", "items": TEXT, "minItems": 1}}
    assert for_xgrammar(schema) == schema
    assert for_xgrammar({"properties": {"a": False}, "required": ["a"]}) == {
        "properties": {"a": False},
        "required": ["a"],
    }


@pytest.mark.parametrize(
    "schema",
    [
        True,
        None,
        5,
        [],
        {"type": {}, "items": 3, "$ref": 4, "anyOf": 5, "properties": 1, "minimum": "x"},
        {"type": ["array", 3], "prefixItems": 4, "minItems": "x", "patternProperties": 3},
    ],
)
def test_what_is_no_schema_is_looked_at_without_an_error(schema: Any) -> None:
    for_xgrammar(schema)
