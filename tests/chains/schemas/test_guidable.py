"""What is left of a schema, given to the two compilers that vLLM has."""

from __future__ import annotations

import json
from typing import Any

import llguidance
import pytest

from chains.errors import AnswerInvalid, Refused
from chains.events import Note
from chains.schemas import copied
from chains.schemas.guidable import guidable, guidable_tools
from chains.schemas.schema import AnswerSchema
from chains.structured import Structured, StructuredOptions
from chains.testing import Said, ScriptedEngine, asked, content, events_of

TEXT = {"type": "string"}
UNIQUE = {"type": "array", "items": TEXT, "uniqueItems": True}
TAGS = {"type": "object", "properties": {"tags": UNIQUE, "city": TEXT}, "required": ["tags"]}
LEFT = {**TAGS, "properties": {"tags": {"type": "array", "items": TEXT}, "city": TEXT}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "tags", "schema": TAGS, "strict": True}}


def refused(schema: object) -> str | None:
    """What llguidance has against ``schema``, to which vLLM turns where XGrammar can't hold it."""
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
    return llguidance.LLMatcher.validate_grammar(grammar, None) or None


def within(part: dict[str, Any]) -> dict[str, Any]:
    """``part`` deep in a schema, by a reference, and beside what guides."""
    either = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/part"}}, {"type": "null"}]}
    return {"type": "object", "properties": {"a": either, "b": TEXT}, "$defs": {"part": part}}


@pytest.mark.parametrize(
    ("part", "left", "gone"),
    [
        (UNIQUE, {"type": "array", "items": TEXT}, ["uniqueItems"]),
        (
            {"type": "string", "format": "binary", "minLength": 2},
            {"type": "string", "minLength": 2},
            ["format"],
        ),
        (
            {"type": "array", "contains": TEXT, "minContains": 2},
            {"type": "array"},
            ["contains", "minContains"],
        ),
        ({"type": "object", "propertyNames": {"maxLength": 3}}, {"type": "object"}, ["propertyNames"]),
        ({**TEXT, "not": {"const": "x"}}, TEXT, ["not"]),
        ({"if": {"const": 1}, "then": TEXT, "else": {"const": 2}}, {}, ["else", "if", "then"]),
        ({"dependentRequired": {"a": ["b"]}, "unevaluatedProperties": False}, {}, None),
        ({**TEXT, "pattern": r"^(?=.*[0-9])[a-z0-9]+$"}, TEXT, ["pattern"]),
        ({**TEXT, "pattern": r"\bfoo\b"}, TEXT, ["pattern"]),
        ({**TEXT, "pattern": r"^(a|b)\1$"}, TEXT, ["pattern"]),
        (
            {"type": "integer", "minimum": -(10**30), "maximum": 9},
            {"type": "integer", "maximum": 9},
            ["minimum"],
        ),
        (
            {"type": "number", "multipleOf": 0.3333, "minimum": 0},
            {"type": "number", "minimum": 0},
            ["multipleOf"],
        ),
        (
            {"oneOf": [{**TEXT, "maxLength": 4}, {**TEXT, "minLength": 2, "format": "x"}]},
            {"anyOf": [{**TEXT, "maxLength": 4}, {**TEXT, "minLength": 2}]},
            ["format", "oneOf"],
        ),
    ],
)
def test_what_no_compiler_takes_goes_from_anywhere_and_the_rest_stays(
    part: dict[str, Any], left: dict[str, Any], gone: list[str] | None
) -> None:
    whole = within(part)
    before = json.dumps(whole)
    assert refused(whole) is not None
    kept, went = guidable(whole)
    assert kept == within(left)
    assert went == (gone or sorted(part))
    assert refused(kept) is None
    assert json.dumps(whole) == before


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "properties": {"uniqueItems": TEXT, "not": TEXT, "format": TEXT, "if": TEXT}},
        {"enum": [{"uniqueItems": True, "format": "x"}], "default": {"not": 1}},
        {**TEXT, "format": "date-time"},
        {**TEXT, "pattern": r"^[A-Z]{2,3}-(?:\d+|[^\s\]~-]?)\.(x|安)*$", "maxLength": 9},
        {"type": "number", "minimum": -1.5, "multipleOf": 0.5},
        {"type": "array", "prefixItems": [TEXT], "items": False, "minItems": 1},
    ],
)
def test_what_guides_stays_and_a_name_or_a_value_is_no_keyword(part: dict[str, Any]) -> None:
    assert refused(within(part)) is None
    assert guidable(within(part)) == (within(part), [])


@pytest.mark.parametrize(
    "step", [0.3333, 0.01, 0.29, 0.58, 1 / 3, 1e-9, 1e-10, 2.5, 2001, 2**32 - 1, 2**32, 5e9, 1e300, 5e-324]
)
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_step_guides_if_its_digits_are_few_as_llguidance_counts_them(step: float, kind: str) -> None:
    part = within({"type": kind, "multipleOf": step})
    kept, gone = guidable(part)
    assert (kept == part) == (refused(part) is None)
    assert gone == ([] if kept == part else ["multipleOf"])
    assert refused(kept) is None


@pytest.mark.parametrize("more", [{}, {"additionalItems": False}, {"minItems": 2, "maxItems": 2}])
def test_a_list_of_items_says_what_comes_first(more: dict[str, Any]) -> None:
    """As zod 3 writes a tuple, and draft 7 has it."""
    either = {"type": "array", "items": [TEXT, {"type": "integer"}], **more}
    kept, gone = guidable(within(either))
    first = {"prefixItems": either["items"], "items": more.get("additionalItems", True)}
    others = {key: value for key, value in more.items() if key != "additionalItems"}
    assert kept == within({"type": "array", **others, **first})
    assert gone == sorted({"items", *more} & {"items", "additionalItems"})


def test_a_reference_to_what_went_goes_too() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/properties/b/not"},
            "b": {"type": "string", "not": {"const": "x"}},
            "c": {"$ref": "#/properties/b"},
        },
    }
    kept, gone = guidable(schema)
    assert kept["properties"] == {"a": {}, "b": TEXT, "c": {"$ref": "#/properties/b"}}
    assert (gone, refused(kept)) == (["$ref", "not"], None)


def test_a_guide_of_copied_strings_keeps_them() -> None:
    properties = {"city": {"type": "string", copied.KEYWORD: True}, "tags": UNIQUE}
    guide = AnswerSchema({"type": "object", "properties": properties}).guide(
        ["Ship to 六安市 (rear/left), A-1?"]
    )
    assert guide is not None
    kept, gone = guidable(guide)
    assert (kept["$defs"], gone) == (guide["$defs"], ["uniqueItems"])


def test_xgrammar_takes_what_is_left_of_a_tools_parameters() -> None:
    import xgrammar

    properties = {"a": {**TEXT, "pattern": r"\bx"}, "b": {"type": "array", "items": [TEXT]}}
    parameters = {"type": "object", "properties": properties, "minProperties": 9}
    tools = [{"type": "function", "function": {"name": "look", "parameters": parameters}}]

    def compiled(schema: object) -> object:
        part = {"type": "json_schema", "json_schema": schema}
        return xgrammar.Grammar.from_structural_tag(json.dumps({"type": "structural_tag", "format": part}))

    for name in ("pattern", "items", "minProperties"):
        keys = {"pattern": {"a"}, "items": {"b"}, "minProperties": set[str]()}[name]
        alone = {"type": "object", "properties": {key: properties[key] for key in keys}}
        with pytest.raises(RuntimeError):
            compiled(alone | ({"minProperties": 9} if name == "minProperties" else {}))
    (tool,), gone = guidable_tools(tools)
    assert gone == ["items", "minProperties", "pattern"]
    assert tool["function"]["name"] == "look"
    compiled(tool["function"]["parameters"])


def guiding(engine: ScriptedEngine) -> list[object]:
    forms = [body.get("response_format") for body in engine.bodies]
    return [form and form["json_schema"]["schema"] for form in forms]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_engine_that_refuses_a_keyword_is_guided_by_the_rest(stream: bool) -> None:
    engine = ScriptedEngine(
        [
            Refused('Unimplemented keys: ["uniqueItems"]'),
            Said(['{"tags": ["a", "a"]}']),
            Said(['{"tags": ["a"]}']),
        ]
    )
    events = await events_of(
        Structured(StructuredOptions()), asked(stream, parameters={"response_format": FORMAT}), engine
    )
    assert content(events) == '{"tags": ["a"]}'
    problem = "$.tags: ['a', 'a'] has non-unique elements"
    assert [event for event in events if isinstance(event, Note)] == [
        Note("unguided", {"reason": 'Unimplemented keys: ["uniqueItems"]', "left_out": ["uniqueItems"]}),
        Note("repair", {"problem": problem, "answer": '{"tags": ["a", "a"]}'}),
    ]
    assert guiding(engine) == [TAGS, LEFT, LEFT]
    assert '"uniqueItems": true' in engine.bodies[1]["messages"][0]["content"]  # told in words


@pytest.mark.parametrize("strict", [True, False, None])
async def test_an_answer_that_the_rest_guides_and_that_never_fits_is_the_models_fault_unless_it_is_strict(
    strict: bool | None,
) -> None:
    engine = ScriptedEngine([Refused("uniqueItems at #/properties/tags"), Said(['{"tags": ["a", "a"]}'])])
    form = {"type": "json_schema", "json_schema": {"name": "tags", "schema": TAGS, "strict": strict}}
    error, words = (Refused, "uniqueItems at") if strict else (AnswerInvalid, r"asked 2 times .* non-unique")
    with pytest.raises(error, match=words):
        await events_of(
            Structured(StructuredOptions()), asked(False, parameters={"response_format": form}), engine
        )
    assert len(engine.bodies) == 3


async def test_an_engine_that_refuses_the_rest_too_is_asked_in_words() -> None:
    engine = ScriptedEngine([Refused("no"), Refused("no again"), Said(['{"tags": ["a"]}'])])
    events = await events_of(
        Structured(StructuredOptions()), asked(False, parameters={"response_format": FORMAT}), engine
    )
    assert content(events) == '{"tags": ["a"]}'
    assert events[:2] == [
        Note("unguided", {"reason": "no", "left_out": ["uniqueItems"]}),
        Note("unguided", {"reason": "no again"}),
    ]
    assert guiding(engine) == [TAGS, LEFT, None]
