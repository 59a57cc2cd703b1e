"""Decimals of a step, and values with a fraction: what XGrammar's schemas can't say."""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from service.engine.numerals import marked
from tests.service.engine.compilers import DEMO, called, compiled


def closed(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("bounds", [None, DEMO])
@pytest.mark.parametrize("compiler", [compiled, called])
@pytest.mark.parametrize(
    ("part", "fitting", "misfits"),
    [
        (
            {"type": "number", "multipleOf": 0.01},
            ["0", "0.0", "19.99", "5", "1.5", "1.50", "-0.01", "-12", "99999.99"],
            ["0.001", "1.500", "01", "-0", ".5", "1.", "1e2", '"1"', "null"],
        ),
        (
            {"type": "number", "multipleOf": 0.01, "minimum": 0.99, "exclusiveMaximum": 100},
            ["0.99", "1", "99.99", "50.1"],
            ["0.98", "0.9", "0", "100", "100.00", "-1"],
        ),
        (
            {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0, "maximum": 0.05},
            ["0.01", "0.05"],
            ["0", "0.0", "0.00", "0.06", "0.1", "1"],
        ),
        (
            {"type": "number", "multipleOf": 0.25, "minimum": -1.5, "maximum": -0.25},
            ["-0.25", "-0.5", "-0.50", "-1.5", "-1"],
            ["0", "-0.2", "-1.75", "-2", "0.5"],
        ),
        ({"type": "number", "multipleOf": 0.05}, ["0.05", "0.1", "7.95"], ["0.01", "7.96"]),
        ({"type": ["null", "number"], "multipleOf": 0.1, "minimum": 0}, ["0.3", "null"], ["0.35", "-0.3"]),
        (
            {"type": "number", "multipleOf": 0.3, "minimum": 0, "maximum": 1},
            ["0", "0.3", "0.9"],
            ["0.1", "1"],
        ),
        ({"type": "number", "multipleOf": 1}, ["0", "-1", "12"], ["1.5", "1.0", "01", "-0"]),
        ({"type": "number", "multipleOf": 7}, ["0", "7", "-14", "6912388"], ["1", "8", "6912389", "7.0"]),
        ({"type": "number", "multipleOf": 1000}, ["0", "33000", "-1000"], ["33001", "3300", "100"]),
        (
            {"type": "number", "multipleOf": 2.5},
            ["0", "2.5", "5", "5.0", "-7.5", "1000002.5"],
            ["1", "0.5", "5.5", "7", "-2", "1000000.5"],
        ),
        ({"type": "number", "multipleOf": 1.5}, ["1.5", "3", "-4.5", "13.5"], ["0.5", "1", "2.5", "13"]),
        ({"type": "number", "multipleOf": 0.3}, ["0.3", "0.9", "1.2", "3", "-99.9"], ["0.1", "1", "1.1"]),
        (
            {"type": "number", "multipleOf": 0.15, "minimum": 0},
            ["0.15", "0.3", "0.30", "0.45", "3", "100.05"],
            ["0.1", "0.5", "-0.15", "100.55"],
        ),
        ({"type": "integer", "multipleOf": 0.01}, ["0", "17", "-5"], ["0.5", "1.0"]),
        ({"type": "integer", "multipleOf": 0.5, "minimum": 3}, ["3", "17"], ["2", "3.5"]),
        ({"type": "integer", "multipleOf": 1.5}, ["0", "3", "-6"], ["1", "1.5", "4"]),
        (
            {"type": "integer", "multipleOf": 7, "minimum": 100, "maximum": 9999},
            ["105", "994", "1001", "9996"],
            ["98", "100", "104", "1000", "10003", "0", "7", "-7"],
        ),
        (
            {"type": ["integer", "null"], "multipleOf": 5, "minimum": 0},
            ["0", "5", "10", "123455", "null"],
            ["-5", "7", "123456"],
        ),
        ({"type": "number", "multipleOf": 6, "maximum": -1234}, ["-1236", "-60000"], ["-1230", "-1235", "6"]),
        ({"enum": [19.99, 5, 0.07, "x"]}, ["19.99", "5", "0.07", '"x"'], ["19.989999999999998", "20", "0.1"]),
        ({"type": "number", "const": 0.1}, ["0.1"], ["0.10000000000000001", "0"]),
    ],
)
def test_it_is_written_as_it_is_meant(
    part: dict[str, Any], fitting: list[str], misfits: list[str], compiler: Any, bounds: Any
) -> None:
    before = json.dumps(part)
    fits = compiler(closed(part), bounds)
    assert [text for text in fitting if not fits(f'{{"a": {text}}}')] == []
    assert [text for text in misfits if fits(f'{{"a": {text}}}')] == []
    assert json.dumps(part) == before


def test_a_number_of_the_demo_has_an_end() -> None:
    for step in (0.01, 1000, 8):  # of which 1000 is a rule for each rest, without an end
        for kind in ("number", "integer"):
            part: dict[str, Any] = {"type": kind, "multipleOf": step}
            assert compiled(closed(part))('{"a": 1000000000000}')
            assert compiled(closed(part), DEMO)('{"a": 1000000000000}') is (step == 1000)
            assert not compiled(closed(part), DEMO)('{"a": 1000000000001}')


@pytest.mark.parametrize("seed", range(12))
def test_bounds_by_chance_are_held_to_the_last_digit(seed: int) -> None:
    chance = Random(seed)
    step = chance.choice([0.01, 0.1, 0.125, 0.2, 3, 2.5, 0.3, 0.15, 12, 1.25, 0.75, 70])
    low, high = sorted(chance.randint(-30_000, 30_000) / 100 for _ in range(2))
    fits = called(closed({"type": "number", "multipleOf": step, "minimum": low, "maximum": high}))
    by, least, most = (Fraction(repr(number)) for number in (step, low, high))
    edges = [round(bound / by) + near for bound in (least, most, Fraction(0)) for near in range(-3, 4)]
    others = [Fraction(chance.randint(-40_000, 40_000), chance.choice([1, 10, 100])) for _ in range(300)]
    for value in [*(by * times for times in edges), *others]:
        text = json.dumps(int(value) if value.denominator == 1 else float(value))
        is_wanted = least <= value <= most and (value / by).denominator == 1
        assert fits(f'{{"a": {text}}}') == is_wanted, (step, low, high, text)


def test_what_needs_no_rule_has_none() -> None:
    schema = {"enum": [1, 2.0, "x"], "anyOf": [{"type": "number", "minimum": 0.5}, {"const": True}]}
    assert marked(schema) == (schema, [])
    _, rules = marked([{"const": 0.5}, {"enum": [0.5, 1.5]}])
    assert rules == ['"0.5"', '"1.5"']


@pytest.mark.parametrize("text", ["pointsman-number-7-", "pointsman-number-x-"])
def test_a_text_of_the_clients_that_looks_like_a_mark_stays(text: str) -> None:
    either = {"anyOf": [{"enum": [text]}, {"const": 0.5}]}
    assert called(closed(either))(json.dumps({"a": text}))
