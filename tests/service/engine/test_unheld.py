"""What no compiler holds is told by keyword and place, from llguidance's own words."""

from __future__ import annotations

from typing import Any

import llguidance
import pytest

from service.engine.refusal import told
from service.engine.unheld import advice, unheld

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
OVERLAPPING = {"oneOf": [WHOLE, {"type": "number"}]}
NODE = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node", "maxProperties": 1}},
    "additionalProperties": False,
}


def said_of(schema: Any) -> str:
    """vLLM's words."""
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
    return f"Grammar error: {llguidance.LLMatcher.validate_grammar(grammar, None)}"


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "object", "properties": {"a": {**TEXT, "not": {"const": "x"}}}}, "not at #/properties/a"),
        ({"if": {"const": 1}, "then": {"const": 2}}, "if at #"),
        ({"type": "array", "items": WHOLE, "uniqueItems": True}, "uniqueItems at #"),
        ({"anyOf": [{"oneOf": [TEXT, WHOLE]}, OVERLAPPING]}, "oneOf at #/anyOf/1"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {**TEXT, "format": "color"}}}, "format at #/$defs/x"),
        ({**TEXT, "pattern": "^(?!x).*$"}, "pattern at #"),
        ({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, "$ref at #"),
        (
            {
                **{"type": "object", "properties": {"a": WHOLE}, "minProperties": 1},
                **{"patternProperties": {"^b": WHOLE}},
            },
            "minProperties at #",
        ),
        ({"patternProperties": {"^b": WHOLE, "b$": TEXT}}, "patternProperties at #"),
        ({"anyOf": [{**WHOLE, "minimum": 3}, {**WHOLE, "minimum": 1e20}]}, "minimum at #/anyOf/1"),
        ({"type": "number", "maximum": -1e20, "minimum": -1e30}, "maximum at #"),
        ({"anyOf": [{**WHOLE, "multipleOf": n} for n in (2001, 2**33)]}, "multipleOf at #/anyOf/1"),
        ({"type": "number", "multipleOf": 0.3333}, "multipleOf at #"),
    ],
)
def test_the_keyword_and_its_place_are_told(schema: dict[str, Any], place: str) -> None:
    for form in (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
        {"structured_outputs": {"json": schema}},
    ):
        message, field = told(said_of(schema), None, form)
        assert f"can't be used: {place} is held by no guide" in message
        assert (field or "").startswith(next(iter(form)))
        assert advice(said_of(schema), form) == ""  # /v1/completions has no chains
    instead = advice(said_of(schema), {**form, "messages": []})
    assert ("x-pointsman-chain: structured" in instead) is ("Unknown format: color" not in said_of(schema))


@pytest.mark.parametrize(
    ("name", "is_checked"), [("idn-email", True), ("regex", True), ("base64", True), ("binary", False)]
)
def test_the_chain_that_checks_is_told_of_formats_that_it_checks(name: str, is_checked: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {**TEXT, "format": name}}}
    asked, reason = {"response_format": form, "messages": []}, said_of({**TEXT, "format": name})
    assert "format at # is held by no guide" in told(reason, None, asked)[0]
    assert ("x-pointsman-chain" in advice(reason, asked)) is is_checked


@pytest.mark.parametrize(
    ("schema", "told_of"),
    [
        (
            {"allOf": [TEXT, WHOLE]},
            "the rules at # let no value pass together (incompatible types): correct them",
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [TEXT, WHOLE]}}},
            "the rules at #/$defs/a let no value pass together (incompatible types): correct them",
        ),
        (
            {
                "anyOf": [
                    {"type": "object", "properties": {"a b": {"allOf": [TEXT, WHOLE]}}, "required": ["a b"]}
                ]
            },
            "allOf at #/anyOf/0/properties/a b let no value pass together, and it is required: correct them",
        ),
        (
            {"type": "object", "properties": {"x": {**TEXT, "pattern": "^a{5}$", "maxLength": 3}}}
            | {"required": ["x"]},
            "type, pattern, maxLength at #/properties/x let no value pass together, and it is required:"
            " correct them",
        ),
    ],
)
def test_where_nothing_fits_the_rules_and_their_place_are_told(schema: dict[str, Any], told_of: str) -> None:
    said, field = told(said_of(schema), None, {"structured_outputs": {"json": schema}})
    assert said == f"structured_outputs.json can't be used: {told_of}"
    assert advice(said_of(schema), {"structured_outputs": {"json": schema}, "messages": []}) == ""
    assert field == "structured_outputs.json"


@pytest.mark.parametrize(
    "message",
    [
        "Grammar error: Unsatisfiable schema: required property 'x' is unsatisfiable",
        "Grammar error: ",
        "else",
    ],
)
def test_other_words_stay(message: str) -> None:
    asked = {"structured_outputs": {"json": {"not": {}}}, "messages": []}
    assert (unheld(message, asked), advice(message, asked)) == (None, "")


@pytest.mark.parametrize("body", [{}, {"structured_outputs": {"json": "{"}}, {"response_format": {}}])
def test_a_request_without_a_schema_has_no_place(body: dict[str, Any]) -> None:
    assert unheld('Unimplemented keys: ["not"]', body) is None
