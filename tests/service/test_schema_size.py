"""A schema that takes the engine minutes, or all of its memory, is refused, whatever field it comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.body.options import check_options
from service.errors import InvalidRequest

TEXT = {"type": "string"}


def holding(properties: int) -> dict[str, Any]:
    """A schema of ``2 * properties + 2`` members."""
    return {"type": "object", "properties": {f"p{number}": TEXT for number in range(properties)}}


def formats(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
        {"structured_outputs": {"json": schema}},
        {"structured_outputs": {"json": json.dumps(schema)}},
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": schema}}]},
    ]


@pytest.mark.parametrize("field", range(4))
def test_a_huge_schema_is_refused_by_name(field: int) -> None:
    check_options(formats(holding(2_499))[field], most=1)
    body = formats(holding(2_500))[field]
    with pytest.raises(
        InvalidRequest, match=r"holds 5,002 keywords, names and values; at most 5,000"
    ) as caught:
        check_options(body, most=1)
    assert str(caught.value.parameter).startswith(next(iter(body)))


@pytest.mark.parametrize("schema", [{"enum": list(range(5_000))}, {"anyOf": [holding(5)] * 500}])
def test_values_and_branches_count_too(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="at most 5,000 are taken"):
        check_options(formats(schema)[0], most=1)


@pytest.mark.parametrize("field", range(4))
@pytest.mark.parametrize(
    ("taken", "refused", "words"),
    [
        ({"minItems": 10_000}, {"minItems": 10_001}, "minItems is 10,001 in the schema in"),
        ({"maxItems": 1e4}, {"maxItems": 1e300}, r"maxItems is 1e\+300 in .* at most 10,000 items"),
        (
            {"pattern": r"^[a-z]{0,990}-\d{10}$"},
            {"pattern": r"^[a-z]{0,990}-\d{11,}$"},
            "repeat 1,001 times, .* by maxLength",
        ),
        ({"pattern": r"a\{9000}"}, {"pattern": "a{" + 5_000 * "9" + "}"}, "repeat 1,000,000,000 times"),
        ({"patternProperties": {"^a{9}$": TEXT}}, {"patternProperties": {"^a{9999}$": TEXT}}, "9,999 times"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": TEXT}},
            {"$ref": "#/$defs/b", "$defs": {"a": TEXT}},
            "names nothing in the schema",
        ),
    ],
)
def test_numbers_patterns_and_references_count_at_any_depth(
    field: int, taken: dict[str, Any], refused: dict[str, Any], words: str
) -> None:
    def deep(part: dict[str, Any]) -> dict[str, Any]:
        inside = {"anyOf": [{"type": "null"}, {key: part[key] for key in part if key != "$defs"}]}
        return {"type": "object", "properties": {"a": inside}, "$defs": part.get("$defs", {})}

    check_options(formats(deep(taken))[field], most=1)
    with pytest.raises(InvalidRequest, match=words):
        check_options(formats(deep(refused))[field], most=1)


@pytest.mark.parametrize("field", range(4))
@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"anyOf": []}, "anyOf at #/properties/a lets no value pass"),
        ({"type": "string", "pattern": r"^[^\s\S]$"}, "pattern at #/properties/a lets no value pass"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum above maximum at #/properties/a lets"),
        ({"type": "string", "enum": [1]}, "enum against type at #/properties/a lets no value pass"),
        ({"type": "string", "pattern": "["}, r"the pattern '\[' at #/properties/a can't be read: untermin"),
        ({"type": "object", "patternProperties": {"(": TEXT}}, r"the pattern '\(' at #/properties/a can't"),
        ({"type": "number", "multipleOf": -1}, r"no JSON schema: \$\.properties\.a\.multipleOf: -1 is less"),
        ({"type": "number", "multipleOf": 0}, r"no JSON schema: \$\.properties\.a\.multipleOf: 0 is less"),
        ({"type": "any"}, r"no JSON schema: \$\.properties\.a\.type: 'any' is not valid"),
    ],
)
def test_what_is_none_lets_nothing_pass_or_can_not_be_read_is_told_by_its_place(
    field: int, part: dict[str, Any], words: str
) -> None:
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"]}
    with pytest.raises(InvalidRequest, match=words) as caught:
        check_options(formats(schema)[field], most=1)
    assert str(caught.value.parameter).startswith(next(iter(formats(schema)[field])))


@pytest.mark.parametrize("schema", [5, [], True, "{", "no schema"])
def test_what_is_no_object_is_no_schema(schema: Any) -> None:
    for body in formats(schema)[:2]:
        with pytest.raises(InvalidRequest, match="a JSON schema must be an object"):
            check_options(body, most=1)


@pytest.mark.parametrize(
    ("schema", "is_taken"),
    [
        ({"enum": ["a", "b"]}, False),
        ({"const": 5}, False),
        ({"$ref": "#/$defs/s", "$defs": {"s": TEXT}}, False),
        ({"anyOf": [TEXT, {"$ref": "#/$defs/s"}], "$defs": {"s": {"type": "null"}}}, False),
        ({}, True),
        ({"properties": {"a": TEXT}}, True),
        ({"enum": [{"a": 1}]}, True),
        ({"$ref": "#/$defs/s", "$defs": {"s": {"type": "object"}}}, True),
        ({"anyOf": [{"type": "object"}, TEXT]}, True),
        ({"oneOf": [{"properties": {"a": TEXT}}]}, True),
    ],
)
def test_a_tools_schema_lets_objects_pass(schema: dict[str, Any], is_taken: bool) -> None:
    body = formats(schema)[3]
    if is_taken:
        check_options(body, most=1)
        return
    with pytest.raises(InvalidRequest, match="must let an object pass") as caught:
        check_options(body, most=1)
    assert caught.value.parameter == "tools[0].function.parameters"
