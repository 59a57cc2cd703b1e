import json
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from chains.schemas.schema import AnswerSchema, ModelSchema, SchemaUnusable, json_in

ORDER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[A-Z]"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1},
    },
    "required": ["city", "items"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {"quantity": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"city": "Leeds", "items": [{"quantity": 2}]}', None),
        ('{"city": "Leeds", "items": [{"quantity": "2"}]}', "$.items[0].quantity: '2' is not of type"),
        ('{"city": "leeds", "items": [{}]}', "$.city: 'leeds' does not match '^[A-Z]'"),
        ('{"city": "Leeds"}', "'items' is a required property"),
        ('{"city": "Leeds", "items": [{}], "x": 1}', "'x' was unexpected"),
        ('{"city": "Leeds", "items": [NaN]}', "not JSON: NaN"),
        ('{"city": "Le', "not JSON: "),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_with_its_place(text: str, problem: str | None) -> None:
    found = AnswerSchema(ORDER).problem(text)
    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        *(("date", "2830-09-30", "2830-09-31"), ("email", "a@b.co", "a"), ("idn-email", "a@b.co", "a")),
        *(("ipv4", "1.2.3.4", "01.2.3.4"), ("ipv6", "::1", ":::"), ("regex", "^a$", "[")),
        ("uuid", "00000000-0000-4000-8000-000000000000", "0"),
        *(("time", "23:59:60.5+01:00", "12:00:00"), ("time", "00:00:00Z", "24:00:00Z")),
        ("date-time", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z"),
        *(("duration", "P1Y2M3DT4H5M6S", "PT"), ("duration", "P1W", "P1W2D")),
        *(("hostname", "a-b.example", "a_b"), ("hostname", "x" * 63, "x" * 64)),
        *(("idn-hostname", "bücher.example", "a..b"), ("idn-hostname", "实例.中国", "a b")),
        *(("uri", "http://[::1]:80/a?b#c", "a/b"), ("uri", "urn:a:b", "http://ä"), ("uri", "a:", "a:%zz")),
        *(("uri-reference", "../a#b", "a b"), ("uri-reference", "", "ü")),
        *(("iri", "http://ä/ü", "ä"), ("iri-reference", "ä", "a b")),
        *(("uri-template", "a/{x}{?y,z*}", "a/{x"), ("json-pointer", "/a~1b", "a")),
        ("relative-json-pointer", "1/a", "01"),
        *(("base64", "aGk=", "aGk"), ("byte", "aGk=", "%%%=")),
    ],
)
def test_a_format_is_checked(name: str, text: str, wrong: str) -> None:
    schema = AnswerSchema({"type": "string", "format": name})
    assert schema.problem(json.dumps(text)) is None
    assert f"does not fit the format {name!r}" in str(schema.problem(json.dumps(wrong)))


@pytest.mark.parametrize("name", ["binary", "password", "color", "made-up"])
def test_another_format_says_nothing(name: str) -> None:
    assert AnswerSchema({"type": "string", "format": name}).problem('"%"') is None


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (7, "must be an object"),
        ({"type": "objekt"}, r"no JSON schema: \$\.type"),
        ({"$ref": "http://127.0.0.1/secret"}, "names nothing in the schema"),
        ({"$ref": "file:///etc/passwd"}, "names nothing in the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "'#/\\$defs/b' names nothing"),
        ({"$ref": "#"}, "'#' leads only to itself"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "leads only to itself"),
        ({"$ref": "#/$defs/b", "$defs": {"b": {"anyOf": [{"$ref": "#/$defs/b"}]}}}, "leads only to itself"),
        (
            {"$ref": "#/$defs/b", "$defs": {"b": {"allOf": [{}, {"$ref": "#/$defs/b"}]}}},
            "leads only to itself",
        ),
        (
            {"properties": {"a": {"patternProperties": {"(": {}}}}},
            r"the pattern '\(' at #/properties/a can't be read",
        ),
        (
            {"items": {"patternProperties": {"^a": {}}, "unevaluatedProperties": False}},
            "patternProperties at #/items is not taken beside unevaluatedProperties",
        ),
        ({"pattern": "("}, "pattern"),
        (nested(3_000), "nested too deep"),
    ],
)
def test_a_schema_that_no_answer_can_be_held_to_is_refused(schema: object, reason: str) -> None:
    with pytest.raises(SchemaUnusable, match=reason):
        AnswerSchema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"$ref": "#/$defs/b", "$defs": {"b": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "integer"}]}}},
        {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "integer"}}},
    ],
)
def test_a_reference_that_comes_back_and_says_something_is_taken(schema: dict[str, Any]) -> None:
    assert AnswerSchema(schema).schema == schema


def test_patterns_are_those_of_json_schema_and_not_of_python() -> None:
    schema = AnswerSchema({"type": "string", "pattern": r"^\p{L}+$"})
    assert schema.problem('"Zoë"') is None
    assert schema.problem('"7"') == r"'7' does not match '^\\p{L}+$'"
    with pytest.raises(SchemaUnusable, match=r"the pattern '\(' at # can't be read: missing \)"):
        AnswerSchema({"type": "string", "pattern": "("})


@pytest.mark.parametrize(
    ("rest", "fits", "misfit", "problem"),
    [
        ({}, '{"a1": 1, "b": "x"}', '{"a1": "x"}', "$.a1: 'x' is not of type 'integer'"),
        ({"additionalProperties": False}, '{"a1": 1, "c": 2}', '{"b": 1}', "('b' was unexpected)"),
        ({"additionalProperties": {"type": "string"}}, '{"a1": 1, "b": "x"}', '{"b": 1}', "$.b: 1 is not"),
    ],
)
def test_properties_are_held_by_their_patterns(
    rest: dict[str, Any], fits: str, misfit: str, problem: str
) -> None:
    named = {"properties": {"c": {}}, "patternProperties": {r"^\p{L}\d$": {"type": "integer"}}}
    schema = AnswerSchema({"type": "object", **named, **rest})
    assert schema.problem(fits) is None
    assert problem in str(schema.problem(misfit))


@pytest.mark.parametrize("rest", [{}, {"additionalProperties": False}])
def test_a_pattern_of_names_that_would_run_for_years_is_left(rest: dict[str, Any]) -> None:
    slow = AnswerSchema({"type": "object", "patternProperties": {"^(a|a)*$": {}}, **rest})
    assert slow.problem(f'{{"{"a" * 60}b": 1}}') == "it takes too long to check an answer against it"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("end", ["", "#"])
def test_a_schema_is_of_the_draft_that_it_names(scheme: str, end: str) -> None:
    pair = {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}
    schema = AnswerSchema({"$schema": f"{scheme}://json-schema.org/draft-07/schema{end}", **pair})
    assert schema.problem('["a", 1]') is None
    assert schema.problem('["a", "b"]') == "$[1]: 'b' is not of type 'integer'"
    with pytest.raises(SchemaUnusable, match="is not of type 'object', 'boolean'"):
        AnswerSchema({"$schema": "https://json-schema.org/draft/2020-12/schema", **pair})


def doubling(levels: int) -> dict[str, Any]:
    """Each definition asks for the next one twice: 2 to the power of ``levels`` steps."""
    defs: dict[str, Any] = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {}}}


@pytest.mark.parametrize("schema", [{"not": {"$ref": "#"}}, doubling(60)])
def test_a_schema_that_has_no_end_is_left(schema: dict[str, Any]) -> None:
    assert AnswerSchema(schema).problem("{}") == "it takes too long to check an answer against it"


def test_a_pattern_that_would_run_for_years_is_left() -> None:
    slow = AnswerSchema({"type": "string", "pattern": "^(a|a)*$"})
    assert slow.problem(f'"{"a" * 60}b"') == "it takes too long to check an answer against it"


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('\nSure:\n```json\n{"a": [1, "}"]}\n```\nBye {x}', '{"a": [1, "}"]}'),
        ("It is [1, 2].", "[1, 2]"),
        (' "a {b}" ', '"a {b}"'),
        ("42", "42"),
        ('cut {"a": ', 'cut {"a":'),
    ],
)
def test_json_is_found_among_words(text: str, json: str) -> None:
    assert json_in(text) == json


class Parcel(BaseModel):
    weight: float

    @field_validator("weight")
    @classmethod
    def _positive(cls, weight: float) -> float:
        if weight <= 0:
            raise ValueError("a parcel weighs something")
        return weight


def test_a_models_own_validators_count_too() -> None:
    schema = ModelSchema(Parcel)
    assert schema.problem('{"weight": 2}') is None
    assert schema.problem('{"weight": "2"}') == "$.weight: '2' is not of type 'number'"
    assert schema.problem('{"weight": 0}') == "weight: Value error, a parcel weighs something"


@pytest.mark.parametrize(
    ("step", "fits", "misfit"),
    [(0.01, "19.99", "19.999"), (0.1, "0.3", "0.35"), (5, "1e1", "7"), (1e-300, "1", "1e999")],
)
def test_a_step_is_checked_on_numbers_as_they_are_written(step: float, fits: str, misfit: str) -> None:
    schema = AnswerSchema({"type": "number", "multipleOf": step})
    assert schema.problem(fits) is None
    assert (schema.problem(misfit) or "").endswith(f"is not a multiple of {step}")
    assert AnswerSchema({"multipleOf": step}).problem("true") is None
