"""What XGrammar passes over, shown by XGrammar: it lets pass what does not fit, or is named for nothing."""

from __future__ import annotations

import json
from typing import Any

import llguidance
import pytest
import xgrammar
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from xgrammar.testing import _is_grammar_accept_string as accepts

from chains.schemas.disjoint import are_disjoint
from chains.schemas.passed_over import FORMATS, passed_over
from service.engine.for_xgrammar import for_xgrammar

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
NAMED = {"s": TEXT, "n": WHOLE}
EITHER = {"type": "object", "properties": {"a": WHOLE, "b": WHOLE}}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def closed(**properties: Any) -> dict[str, Any]:
    """An object of ``properties`` alone, all of them required."""
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def named(schema: Any) -> list[str]:
    return [passed.keyword for passed in passed_over(schema)]


@pytest.mark.parametrize(
    ("schema", "keyword", "misfit"),
    [
        ({"allOf": [TEXT, {"enum": ["a", "b"]}]}, "allOf", 3),
        ({**TEXT, "allOf": [{"maxLength": 2}]}, "allOf", "abc"),
        ({**closed(a=WHOLE), "required": [], "anyOf": [{"required": ["a"]}]}, "type", {"c": 1}),
        ({**WHOLE, "anyOf": [TEXT, {"minimum": 3}]}, "type", "a"),
        ({"oneOf": [{**WHOLE, "minimum": 0}, {**WHOLE, "maximum": 5}]}, "oneOf", 3),
        ({"type": "number", "multipleOf": 2001}, "multipleOf", 7),
        ({**WHOLE, "multipleOf": 2001, "minimum": 0}, "multipleOf", 7),
        ({"type": "number", "multipleOf": 0.00003, "minimum": 0}, "multipleOf", 0.5),
        ({**TEXT, "not": {"const": "x"}}, "not", "x"),
        ({**EITHER, "if": {"required": ["a"]}, "then": {"required": ["b"]}}, "if", {"a": 1}),
        ({**EITHER, "dependentRequired": {"a": ["b"]}}, "dependentRequired", {"a": 1}),
        ({**EITHER, "dependentSchemas": {"a": False}}, "dependentSchemas", {"a": 1}),
        ({**EITHER, "dependencies": {"a": ["b"]}, "$schema": DRAFT_7}, "dependencies", {"a": 1}),
        ({"$ref": "#/$defs/s", "maxLength": 2, "$defs": NAMED}, "maxLength", "abc"),
        ({"$ref": "#/$defs/s", "enum": ["q"], "$defs": NAMED}, "enum", "abc"),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a", **TEXT}}}, "$ref", 1),
        ({"type": "array", "items": WHOLE, "uniqueItems": True}, "uniqueItems", [1, 1]),
        ({**TEXT, "const": 5}, "type", 5),
        ({**TEXT, "enum": ["a", None]}, "type", None),
        ({"enum": ["a", "bbb"], "maxLength": 1}, "maxLength", "bbb"),
        ({"maxLength": 2}, "maxLength", "abc"),
        ({"required": ["a"]}, "required", {}),
        ({"patternProperties": {"^a": WHOLE}}, "patternProperties", {"a": "x"}),
        ({"type": "object", "properties": {"a": WHOLE}, "required": ["b"]}, "required", {"a": 1}),
        ({**TEXT, "pattern": "^a+$", "maxLength": 2}, "maxLength", "aaa"),
        ({**TEXT, "format": "email", "pattern": "^a"}, "pattern", "b@b.co"),
        ({**TEXT, "pattern": "^(?!x).*$"}, "pattern", "xa"),
        ({**TEXT, "pattern": "a^b"}, "pattern", "ab"),
        ({**TEXT, "format": "regex"}, "format", "("),
        ({**closed(a=False), "required": [], "additionalProperties": True}, "properties", {"a": 1}),
        ({"type": "object", "propertyNames": {"not": {"const": "a"}}}, "propertyNames", {"a": 1}),
    ],
)
def test_a_keyword_that_holds_nothing_is_named(schema: dict[str, Any], keyword: str, misfit: Any) -> None:
    kind = validator_for(schema, default=Draft202012Validator)
    assert not kind(schema).is_valid(misfit) or schema.get("format")
    grammar = xgrammar.Grammar.from_json_schema(json.dumps(for_xgrammar(schema)))
    assert accepts(grammar, json.dumps(misfit))
    assert named(schema)[0] == keyword


@pytest.mark.parametrize(
    ("schema", "fits", "misfit"),
    [
        ({"allOf": [{"$ref": "#/$defs/s"}], "title": "A", "$defs": NAMED}, "a", 1),
        ({"anyOf": [{"$ref": "#/$defs/s"}, {"type": "null"}], "default": None, "$defs": NAMED}, None, 1),
        ({"type": "object", "anyOf": [closed(a=WHOLE), closed(b=WHOLE)]}, {"b": 1}, {"c": 1}),
        ({"$ref": "#/$defs/s", "description": "a text", **TEXT, "$defs": NAMED}, "a", 1),
        ({**TEXT, "enum": ["a", "b"], "default": "a"}, "b", "c"),
        ({"type": ["string", "null"], "enum": ["a", None]}, None, "c"),
        ({"oneOf": [closed(k={"const": "a"}), closed(k={"const": "b"})]}, {"k": "b"}, {"k": "c"}),
        ({"oneOf": [TEXT, {"type": "null"}]}, "a", 1),
        ({"type": ["string", "integer"], "maxLength": 2, "minimum": 3, "x-order": 1}, "ab", "abc"),
        ({"type": "array", "items": WHOLE, "uniqueItems": False, "maxItems": 2}, [1, 1], [1, 1, 1]),
        ({"properties": {"a": WHOLE}, "required": ["a"], "then": False}, {"a": 1}, {}),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, {"a": 1}, {"b": 1}),
        (closed(**{"not": TEXT, "if": TEXT, "allOf": TEXT}), {"not": "", "if": "", "allOf": ""}, {}),
        ({**TEXT, "$defs": {"unused": {"not": {}}}}, "a", 1),
        (
            {"type": "object", "properties": {"c": {"$ref": "#"}}, "additionalProperties": False},
            {"c": {"c": {}}},
            {"c": 1},
        ),
    ],
)
def test_what_is_held_is_not_named(schema: dict[str, Any], fits: Any, misfit: Any) -> None:
    grammar = xgrammar.Grammar.from_json_schema(json.dumps(schema))
    assert accepts(grammar, json.dumps(fits))
    assert not accepts(grammar, json.dumps(misfit))
    assert named(schema) == []


@pytest.mark.parametrize(
    "part",
    [
        {"propertyNames": {"type": "string"}},  # zod's, of a record
        {"propertyNames": {}},
        {"propertyNames": True},
        {"unevaluatedProperties": {}},
        {"unevaluatedProperties": True},
        {"minProperties": 0},
        {"patternProperties": {}},
        {"not": False},
    ],
)
def test_what_asks_for_nothing_is_not_passed_over(part: dict[str, Any]) -> None:
    assert named({**closed(a=WHOLE), **part}) == []


QUOTED = '^"[a-z]{2}"$'


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(QUOTED, '"ab"'), (r"^a\n$", "a\n"), (r"^C:\\[a-z]$", "C:\\a"), (r"^[\"]a$", '"a'), ("^[\n]$", "\n")],
)
def test_a_pattern_that_names_what_json_escapes_is_llguidances(pattern: str, text: str) -> None:
    schema = closed(a={**TEXT, "pattern": pattern})
    if pattern != "^[\n]$":  # which XGrammar can't read
        raw = accepts(xgrammar.Grammar.from_json_schema(json.dumps(schema)), f'{{"a": "{text}"}}')
        assert raw  # is no JSON
    assert named(schema) == ["pattern"]
    assert llguidance_takes(schema, {"a": text})
    assert not llguidance_takes(schema, {"a": "ab"})
    assert named({"type": "object", "patternProperties": {pattern: WHOLE}}) == ["patternProperties"]
    assert named({"type": "object", "propertyNames": {"pattern": pattern}}) == ["propertyNames"]


@pytest.mark.parametrize(
    "reference", ["#/definitions/Foo%3Cstring%3E", "#/definitions/a~1b", "#/definitions/list/anyOf/1"]
)
def test_a_reference_is_followed_as_it_is_written(reference: str) -> None:
    wrong = {"type": "number", "multipleOf": 2001}
    definitions = {"Foo<string>": wrong, "a/b": wrong, "list": {"anyOf": [TEXT, wrong]}}
    schema = {**closed(a={"$ref": reference}), "definitions": definitions}
    assert [(passed.keyword, passed.place) for passed in passed_over(schema)] == [("multipleOf", reference)]


def test_a_discriminator_with_a_default_tells_its_schemas_apart() -> None:
    """As pydantic writes them: what has a default is not required."""

    def kind(name: str) -> dict[str, Any]:
        tag = {"const": name, "default": name, "type": "string"}
        return {"type": "object", "properties": {"kind": tag, "age": WHOLE}, "required": ["age"]}

    cat, dog = kind("cat"), kind("dog")
    schema = {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "$defs": {"Cat": cat, "Dog": dog}}
    assert named(schema) == ["oneOf"]
    assert named({**schema, "discriminator": {"propertyName": "kind"}}) == []
    assert named({**schema, "discriminator": {"propertyName": "age"}}) == ["oneOf"]
    same = {**schema, "$defs": {"Cat": cat, "Dog": cat}}
    assert named({**same, "discriminator": {"propertyName": "kind"}}) == ["oneOf"]


@pytest.mark.parametrize(
    ("pattern", "implies"),
    [
        (
            "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
            "|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$",
            True,
        ),
        ("^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12})$", True),
        ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", True),
        ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", False),
        ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{11}$", False),
        ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9-][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$", False),
        ("^a+$", False),
    ],
)
def test_a_format_beside_its_own_pattern_is_held(pattern: str, implies: bool) -> None:
    """The first two are zod 4's."""
    assert named({**TEXT, "format": "uuid", "pattern": pattern}) == ([] if implies else ["pattern"])
    assert named({**TEXT, "format": "date", "pattern": pattern}) == ["pattern"]


def test_formats_that_are_held_are_held() -> None:
    for name in FORMATS:
        grammar = xgrammar.Grammar.from_json_schema(json.dumps({**TEXT, "format": name}))
        assert not accepts(grammar, '"<no \\u0000 form>"'), name


def test_each_keyword_has_its_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/part"}}, "b": {"not": {}}},
        "$defs": {"part": {"anyOf": [TEXT, {"type": "number", "multipleOf": 2001}]}},
    }
    assert [(passed.keyword, passed.place) for passed in passed_over(schema)] == [
        ("multipleOf", "#/$defs/part/anyOf/1"),
        ("not", "#/properties/b"),
    ]


@pytest.mark.parametrize(
    "schema",
    [
        *(True, None, 5, [], "x"),
        {"type": {}, "required": 5, "properties": [], "enum": 3, "oneOf": {}, "format": [], "pattern": 7},
        {"type": [{}], "required": [[]], "allOf": 1, "$ref": 4, "patternProperties": 2, "propertyNames": 1},
        {"oneOf": [5, {"properties": 3, "required": 2, "type": 1}, {"enum": 1}]},
        {"anyOf": 3, "type": "string"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"oneOf": [{"$ref": "#/a"}, {"$ref": "#/a"}], "a": {"$ref": "#/a"}},
        {"type": "object", "patternProperties": 3, "propertyNames": {"type": 3, "pattern": 1}},
        {"type": "string", "format": {}, "minLength": []},
    ],
)
def test_what_is_no_schema_is_looked_at_without_an_error(schema: Any) -> None:
    list(passed_over(schema))


@pytest.mark.parametrize(
    ("ways", "disjoint"),
    [
        ([TEXT, WHOLE], True),
        ([WHOLE, {"type": "number"}], False),
        ([{"const": 1}, {"const": True}, {"enum": [2, 3]}], True),
        ([{"const": 1}, {"enum": [1, 2]}], False),
        ([closed(a=WHOLE), closed(b=WHOLE)], True),
        ([closed(k={"enum": ["a"]}), closed(k={"enum": ["b"]}, more=TEXT)], True),
        ([{**closed(k={"const": "a"}), "required": []}, {**closed(k={"const": "b"}), "required": []}], False),
        ([{"$ref": "#/$defs/s"}, {"$ref": "#/$defs/n"}], True),
        ([{"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}], False),
        ([{"const": number} for number in range(500)], True),
        ([*({"const": number} for number in range(500)), {"const": 7}], False),
    ],
)
def test_schemas_that_no_value_fits_at_once(ways: list[Any], disjoint: bool) -> None:
    assert are_disjoint(ways, {"$defs": NAMED}) is disjoint


@pytest.mark.parametrize(
    ("schema", "fits", "misfit"),
    [
        ({"allOf": [TEXT, {"enum": ["a", "b"]}]}, "a", 3),
        ({**closed(a=WHOLE, b=WHOLE), "required": [], "anyOf": [{"required": ["a"]}]}, {"a": 1}, {"b": 1}),
        ({"type": "number", "multipleOf": 2001}, 4002, 7),
        ({"$ref": "#/$defs/s", "maxLength": 2, "$defs": NAMED}, "ab", "abc"),
        ({**TEXT, "enum": ["a", None]}, "a", None),
        ({"maxLength": 2}, 5, "abc"),
        ({"type": "object", "properties": {"a": WHOLE}, "required": ["b"]}, {"b": 1}, {"a": 1}),
        ({**TEXT, "pattern": "^a+$", "maxLength": 2}, "aa", "aaa"),
        (
            {**closed(q=TEXT), "patternProperties": {"^a": WHOLE, "^b": TEXT}},
            {"q": "", "a": 1},
            {"q": "", "a": ""},
        ),
    ],
)
def test_llguidance_holds_much_of_it(schema: dict[str, Any], fits: Any, misfit: Any) -> None:
    assert named(schema)
    assert llguidance_takes(schema, fits)
    assert not llguidance_takes(schema, misfit)


def llguidance_takes(schema: Any, value: Any) -> bool:
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
    tokens = llguidance.LLTokenizer("byte")
    matcher = llguidance.LLMatcher(tokens, grammar, log_level=0)
    return bool(matcher.consume_tokens(tokens.tokenize_str(json.dumps(value))) and matcher.is_accepting())


@pytest.mark.parametrize("step", [1, 7, 1000, 2.5, 1.5, 0.3, 0.15, 0.01, 0.5, 0.05, 0.0001])
@pytest.mark.parametrize("bounds", [{}, {"minimum": 0}, {"exclusiveMinimum": 0.5, "maximum": 1e9}])
def test_a_step_of_few_digits_is_held(step: float, bounds: dict[str, Any]) -> None:
    for kind in ("integer", "number"):
        held = [] if step != 1000 or not bounds else ["multipleOf"]
        assert named({"type": kind, "multipleOf": step, **bounds}) == held
        assert named({"type": [kind, "null"], "multipleOf": step, **bounds}) == held
    assert named({"type": ["integer", "number"], "multipleOf": step, **bounds}) == ["multipleOf"]


def test_other_steps_are_held_as_a_list_between_bounds() -> None:
    for step, most in ((2001, 2001 * 499), (0.00003, 0.01497)):
        for kind in ("number", ["number", "null"]):
            part = {"type": kind, "multipleOf": step, "minimum": 0}
            assert named({**part, "maximum": most}) == []
            assert named({**part, "maximum": most + step}) == ["multipleOf"]
            assert named(part) == ["multipleOf"]
    for wrong in ({"multipleOf": 0}, {"multipleOf": 5, "maximum": 1e19}, {"multipleOf": 5, "minimum": "0"}):
        assert named({"type": "number", **wrong}) == ["multipleOf"]
