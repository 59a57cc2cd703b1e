"""What is compiled into a guide: the schema as it came, with what it leaves open bounded."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import Any

import pytest
import xgrammar

from chains.schemas.passed_over import passed_over
from service.engine.guide_bounds import Bounds
from service.engine.guides import bounded_guide, bounded_schema, bounded_tag, bounded_trial, over_tag
from tests.service.engine.compilers import compiled, guided

BOUNDS = Bounds(characters=9, digits=2, items=2)
TEXT = {"type": "string"}
SHORT = {"type": "string", "maxLength": 9}
OPEN = {"type": "object"}
LONG = Bounds(characters=100)
ILL_TYPED: list[dict[str, Any]] = [
    {"type": {}},
    {"type": [{}]},
    {"allOf": 1},
    {"$ref": "#/x", "x": {"type": "string", "format": ["a"], "const": ""}},
    {"type": "string", "format": {}, "minLength": 1},
    {"type": "object", "$defs": "array", "properties": {"a": {"type": "object"}}},
]


@pytest.mark.parametrize("schema", ILL_TYPED)
def test_what_is_ill_typed_is_for_the_compiler_to_refuse(schema: dict[str, Any]) -> None:
    list(passed_over(schema))
    compile_schema = xgrammar.Grammar.from_json_schema
    errors = [_error_of(one, schema) for one in (compile_schema, bounded_trial(compile_schema, BOUNDS))]
    assert errors[0] is errors[1]


def _error_of(compile_schema: Any, schema: dict[str, Any]) -> type[Exception] | None:
    try:
        compile_schema(json.dumps(schema))
    except Exception as exc:
        return type(exc)
    return None


def given(*arguments: Any, **options: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A compiler that shows what it was called with."""
    return arguments, options


def test_schemas_and_the_arguments_of_calls_are_compiled_under_the_bounds() -> None:
    (_, schema), options = bounded_schema(given, BOUNDS)(None, json.dumps(TEXT))
    assert (json.loads(schema), options) == (SHORT, {"any_whitespace": True, "max_whitespace_cnt": 1})
    _, options = bounded_schema(given, BOUNDS)(None, json.dumps(TEXT), any_whitespace=False)
    assert options == {"any_whitespace": False}

    tag = {"type": "json_schema", "json_schema": TEXT}
    call = {"format": {"type": "tag", "begin": "<tool_call>", "content": tag, "end": "</tool_call>"}}
    (_, compiled), _ = bounded_tag(given, BOUNDS)(None, json.dumps(call))
    content = json.loads(compiled)["format"]["content"]
    assert content == {"type": "json_schema", "json_schema": SHORT, "max_whitespace_cnt": 1}

    guide = bounded_guide(given, BOUNDS, lambda *_: "")
    (schema,), options = guide(TEXT, defaults={"whitespace_flexible": True})
    assert schema == SHORT
    assert options["defaults"] == {
        "whitespace_flexible": False,
        "item_separator": r",[ \n\r\t]{0,1}",
        "key_separator": r":[ \n\r\t]{0,1}",
    }


def test_vllm_finds_the_bounds() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_guides")
    assert found.value == "service.engine.guides:register"


@pytest.mark.parametrize("compiler", [compiled, guided])
@pytest.mark.parametrize(
    "schema",
    [
        OPEN,
        OPEN | {"description": "what else there is", "additionalProperties": True},
        {"$ref": "#/$defs/any", "$defs": {"any": OPEN | {"additionalProperties": {}}}},
        {"anyOf": [OPEN, {"type": "null"}], "default": None},
    ],
)
def test_an_object_of_which_nothing_is_said_comes_to_its_end(compiler: Any, schema: Any) -> None:
    fits = compiler(schema, BOUNDS)
    for text in (
        "{}",
        '{"": null}',
        '{"a": "x", "b c": [1, true]}',
        '{"order": {"items": [{"count": -1.5}]}}',
    ):
        assert fits(text), text
    for text in (
        '{"a": 1, "b": 2, "c": 3}',
        f'{{"{"a" * 33}": 1}}',
        '{"a": "a text that is long"}',
        '{"a": [1, 2, 3]}',
        '{"a": {"b": 1, "c": 2, "d": 3}}',
        '{"a": [[[[1]]]]}',
        '{"a\\nb": 1}',
    ):
        assert not fits(text), text


@pytest.mark.parametrize("compiler", [compiled, guided])
def test_white_space_is_one_character_at_most(compiler: Any) -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    fits = compiler({"type": "object", "properties": {"a": numbers}, "required": ["a"]}, BOUNDS)
    assert fits('{"a":[1,2]}')
    assert fits('{"a": [1, 2]}')
    for text in ('{"a":  [1, 2]}', '{"a": [1,  2]}', '{  "a": []}', '{"a": []  }'):
        assert not fits(text), text


def test_where_the_bounds_leave_no_value_the_schema_is_taken_as_it_came() -> None:
    many = {"allOf": [{"type": "array", "items": TEXT}, {"minItems": 3}]}
    fits = guided(many, BOUNDS)
    assert fits('["a","b","a text that is long"]')
    assert not fits('["a","b"]')


def test_the_arguments_of_a_call_may_be_open() -> None:
    tag = {"type": "structural_tag", "format": {"type": "json_schema", "json_schema": OPEN}}
    bounded = over_tag(tag, BOUNDS)
    assert "patternProperties" in json.dumps(bounded)
    xgrammar.Grammar.from_structural_tag(json.dumps(bounded))


@pytest.mark.parametrize(
    "joined",
    [
        {"$ref": "#/$defs/any", "required": ["a"], "$defs": {"any": OPEN}},
        {"allOf": [OPEN, {"properties": {"a": SHORT}}]},
        {"type": "object", "properties": {"a": SHORT}, "anyOf": [OPEN, {"required": ["a"]}]},
    ],
)
def test_an_object_of_which_another_part_says_something_is_left_open(joined: dict[str, Any]) -> None:
    assert BOUNDS.over(joined) == joined
    assert guided(joined, BOUNDS)('{"a": "x"}')


@pytest.mark.parametrize("compiler", [compiled, guided])
def test_what_asks_for_nothing_moves_no_schema_to_another_compiler(compiler: Any) -> None:
    """zod's record beside what only llguidance holds."""
    names = {"type": "object", "propertyNames": TEXT, "additionalProperties": {"type": "integer"}}
    fits = compiler({"type": "object", "properties": {"a": names}, "required": ["a"]}, BOUNDS)
    assert fits('{"a": {"b": 1}}')
    assert not fits('{"a": {"b": "x"}}')


@pytest.mark.parametrize("compiler", [compiled, guided])
def test_what_tells_schemas_apart_is_written_out(compiler: Any) -> None:
    def kind(name: str) -> dict[str, Any]:
        tag = {"const": name, "default": name, "type": "string"}
        return {"type": "object", "properties": {"kind": tag}, "additionalProperties": False}

    schema = {
        "oneOf": [{"$ref": "#/$defs/Cat"}, kind("dog")],
        "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/$defs/Cat"}},
        "$defs": {"Cat": kind("cat")},
    }
    before = json.dumps(schema)
    fits = compiler(schema, BOUNDS)
    assert fits('{"kind": "cat"}')
    assert fits('{"kind": "dog"}')
    assert not fits("{}")
    assert json.dumps(schema) == before


FORMATS = {  # texts that have them, and what has no end else
    "email": (["ann@example.org", "a.b+c@x-y.co.uk"], "a" * 90 + "@example.org"),
    "hostname": (["localhost", "a.example.org"], "a." * 60 + "org"),
    "uri": (["https://example.org/a/b?x=1#y", "urn:isbn:12", "http://x:80/"], "https://x/" + "a" * 99),
    "duration": (["P1D", "PT1H30M", "P2W", "P1Y2M3DT4H5M6S"], "P" + "1" * 20 + "D"),
    "time": (["12:30:00Z", "12:30:00.5+02:00"], "12:30:00." + "1" * 30 + "Z"),
    "date-time": (["2024-02-28T12:30:00Z"], "2024-02-28T12:30:00." + "1" * 30 + "Z"),
}


@pytest.mark.parametrize("compiler", [compiled, guided])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_comes_to_its_end(compiler: Any, name: str) -> None:
    fitting, long = FORMATS[name]
    assert compiler(TEXT | {"format": name}, Bounds())(json.dumps(long))
    fits = compiler(TEXT | {"format": name}, LONG)
    for text in fitting:
        assert fits(json.dumps(text)), text
    for text in (long, "", "?", fitting[0] + " "):
        assert not fits(json.dumps(text)), text
    assert not fits("5")


def test_a_part_that_may_be_left_out_is_whole_where_it_is_there() -> None:
    fits = compiled(TEXT | {"pattern": r"^a(\.[0-9]{1,6})?[)?]Z$"}, BOUNDS)
    assert fits('"a)Z"')
    assert fits('"a.12?Z"')
    assert not fits('"a12?Z"')


def test_of_a_format_and_its_own_pattern_the_pattern_guides() -> None:
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$"
    fits = compiled(TEXT | {"format": "uuid", "pattern": pattern}, BOUNDS)
    assert fits('"00000000-0000-4000-0000-000000000000"')
    assert not fits('"00000000-0000-1000-0000-000000000000"')
