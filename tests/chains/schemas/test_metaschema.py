"""What is no JSON schema, held against jsonschema's own look at the metaschemas."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator, FormatChecker, SchemaError

from chains.schemas import metaschema
from chains.schemas.metaschema import draft_of, no_schema
from chains.schemas.schema import AnswerSchema

TEXT: dict[str, Any] = {"type": "string"}
SEVEN = "http://json-schema.org/draft-07/schema#"
WORDS = [
    *("type", "enum", "const", "multipleOf", "minimum", "exclusiveMaximum", "minLength", "maxItems"),
    *("pattern", "format", "required", "properties", "patternProperties", "additionalProperties", "items"),
    *("prefixItems", "anyOf", "allOf", "not", "if", "uniqueItems", "title", "examples", "$defs", "$ref"),
    *("dependentRequired", "dependencies", "$id", "$anchor", "contentEncoding", "deprecated", "x-any"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 2, 0.5, 2.0, "string", "x", "#a", [], ["a"], ["a", "a"], ["string"], [1]),
    *({}, TEXT, {"a": TEXT}, {"a": ["b"]}, {"a": 1}, [TEXT], [TEXT, True], [None], {"type": "str"}),
]


def holding(part: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}, **more}


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"type": "number", "multipleOf": -1}, "$.properties.x.multipleOf: -1 is less than or equal to"),
        ({"type": "number", "multipleOf": 0}, "$.properties.x.multipleOf: 0 is less than or equal to the"),
        ({"type": "str"}, "$.properties.x.type: 'str' is not valid"),
        ({"type": "string", "required": True}, "$.properties.x.required: True is not of type 'array'"),
        ({"minLength": -1}, "$.properties.x.minLength: -1 is less than the minimum of 0"),
        (None, "$.properties.x: None is not of type 'object', 'boolean'"),
    ],
)
def test_what_is_none_has_a_keyword_and_a_place(part: Any, told: str) -> None:
    assert str(no_schema(holding(part))).startswith(f"no JSON schema: {told}")


@pytest.mark.parametrize("schema", [5, [], "x", True])
def test_what_is_no_object_is_none(schema: object) -> None:
    assert no_schema(schema) == "a JSON schema must be an object"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("draft", [None, SEVEN])
def test_it_says_what_the_metaschema_says(seed: int, draft: str | None) -> None:
    chance, sound = Random(seed), 0
    named = {} if draft is None else {"$schema": draft}
    for _ in range(400):
        part = {word: chance.choice(VALUES) for word in chance.sample(WORDS, chance.randint(1, 2))}
        schema = {**holding(part), **named}
        try:
            draft_of(schema).check_schema(schema, format_checker=FormatChecker(formats=()))
        except SchemaError:
            assert no_schema(schema) is not None, schema
        else:
            sound += 1
            assert no_schema(schema) is None, schema
    assert 30 < sound < 350


def test_a_large_schema_that_is_sound_is_not_jsonschemas_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(schema: Any) -> Any:
        raise AssertionError(schema)

    monkeypatch.setattr(metaschema, "draft_of", slow)
    parts = {"a": {"type": ["string", "null"], "minLength": 1, "pattern": "^a"}, "b": {"$ref": "#/$defs/c"}}
    whole = {"type": "object", "properties": parts, "required": ["a"], "additionalProperties": False}
    for named in ({}, {"$schema": SEVEN}, {"$schema": "https://json-schema.org/draft/2020-12/schema"}):
        assert no_schema({**whole, "$defs": {"c": {"anyOf": [TEXT, True]}}, **named}) is None


@pytest.mark.parametrize("draft", [1, {}, ["draft-07"]])
def test_a_draft_that_is_no_text_is_told(draft: object) -> None:
    assert "$['$schema']" in str(no_schema({"$schema": draft}))


def test_lists_of_items_are_older_than_a_schema_that_names_no_draft() -> None:
    tuple_ = {"type": "array", "items": [TEXT, {"type": "integer"}]}
    assert no_schema(tuple_) is None
    assert AnswerSchema(tuple_).problem('["a", 1]') is None
    assert AnswerSchema(tuple_).problem('["a", "b"]') is not None
    assert draft_of(tuple_) is Draft201909Validator
    assert draft_of(TEXT) is Draft202012Validator
    assert draft_of({"$schema": SEVEN}) is Draft7Validator
