"""Records of numbers that require names: held by XGrammar, whose numbers have an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chains.schemas.passed_over import passed_over
from tests.service.engine.compilers import DEMO, called, compiled

NUMBER = {"type": "number"}
RECORD = {"type": "object", "additionalProperties": NUMBER, "required": ["a"]}
NAMES = {"propertyNames": {"type": "string", "enum": ["a", "b"]}, "required": ["a", "b"]}
ENDLESS = ("-0." + "0" * 50 + "1", "1" * 13, "0.12345678")


@pytest.mark.parametrize("compiler", [compiled, called])
@pytest.mark.parametrize(
    ("record", "fitting", "misfits"),
    [
        (RECORD, ['{"a": 1.5}', '{"a": -3, "b": 0.25}'], ["{}", '{"b": 1}', '{"a": "x"}']),
        (
            {**RECORD, **NAMES},  # zod's z.record(z.enum(["a", "b"]), z.number())
            ['{"a": 1.5, "b": 2}'],
            ["{}", '{"a": 1}', '{"a": 1, "b": 2, "c": 3}', '{"a": 1, "b": "x"}'],
        ),
        (
            {**RECORD, "additionalProperties": {"type": "number", "multipleOf": 0.5, "description": "d"}},
            ['{"a": 1.5}'],
            ['{"a": 1.25}', '{"b": 1.5}'],
        ),
        ({**RECORD, "additionalProperties": {"type": ["number", "null"]}}, ['{"a": null}'], ["{}"]),
    ],
)
def test_a_required_name_of_a_record_is_held(
    compiler: Any, record: dict[str, Any], fitting: list[str], misfits: list[str]
) -> None:
    schema = {"type": "object", "properties": {"r": record}, "required": ["r"]}
    before = json.dumps(schema)
    assert not list(passed_over(schema))
    fits = compiler(schema, DEMO)
    for text in fitting:
        assert fits(f'{{"r": {text}}}'), text
    for text in (*misfits, *(fitting[0].replace("1.5", number) for number in ENDLESS if "1.5" in fitting[0])):
        assert not fits(f'{{"r": {text}}}'), text
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "other",
    [
        {**RECORD, "additionalProperties": {"type": "string"}},
        {**RECORD, "patternProperties": {"^x": NUMBER}},
        {**RECORD, **NAMES, "required": ["a", "c"]},
        {**RECORD, **NAMES, "propertyNames": {"pattern": "^[ab]$"}},
    ],
)
def test_another_record_is_left_to_who_holds_it(other: dict[str, Any]) -> None:
    assert "required" in [passed.keyword for passed in passed_over(other)]
