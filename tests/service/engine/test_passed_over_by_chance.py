"""Schemas made by chance: said in its words, XGrammar takes no misfit of one of which nothing is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import xgrammar
from jsonschema import Draft202012Validator
from xgrammar.testing import _is_grammar_accept_string as accepts

from chains.schemas.passed_over import passed_over
from service.engine.guide_bounds import Bounds
from service.engine.guides import bounded_trial

DEFINED = {"text": {"type": "string", "maxLength": 2}, "whole": {"type": "integer", "minimum": 2}}
TYPES = ["string", "integer", "number", "object", "array", "null", "boolean", ["string", "null"]]
SCHEMAS = 400


def value(chance: Random, levels: int = 2) -> Any:
    """Any JSON, in which little names and numbers come again."""
    plain = ["a", "ab", "abc", "x", "", "2020-01-01", 0, 1, 2, 5, 7, 10, -3, 1.5, 0.5, 0.3, None, True, False]
    kind = chance.random()
    if kind < 0.6 or levels == 0:
        return chance.choice(plain)
    many = range(chance.randint(0, 3))
    if kind < 0.8:
        return [value(chance, levels - 1) for _ in many]
    return {chance.choice("abc"): value(chance, levels - 1) for _ in many}


def schema(chance: Random, levels: int = 2) -> dict[str, Any]:
    """A schema whose rules are mostly those of its type, and now and then of another."""
    kind = chance.choice(TYPES) if chance.random() < 0.7 else None
    found: dict[str, Any] = {} if kind is None else {"type": kind}

    def may(likely: float, keyword: str, make: Callable[[], Any]) -> None:
        if chance.random() < likely:
            found[keyword] = make()

    def inner() -> dict[str, Any]:
        return schema(chance, levels - 1)

    text = 0.35 if kind == "string" else 0.04
    may(text, "minLength", lambda: chance.randint(0, 2))
    may(text, "maxLength", lambda: chance.randint(1, 3))
    may(text / 2, "pattern", lambda: chance.choice(["^a", "^[a-c]*$", "^(?=a).*$", "b"]))
    may(text / 3, "format", lambda: "date")
    number = 0.35 if kind in ("integer", "number") else 0.04
    may(number, "minimum", lambda: chance.randint(-3, 5))
    may(number, "maximum", lambda: chance.randint(5, 9))
    may(number / 3, "multipleOf", lambda: chance.choice([2, 5, 0.5]))
    if levels:
        object_, array = 0.5 if kind == "object" else 0.05, 0.5 if kind == "array" else 0.05
        may(object_, "properties", lambda: {name: inner() for name in chance.sample("abc", 2)})
        may(object_, "required", lambda: chance.sample("abc", chance.randint(0, 2)))
        may(object_, "additionalProperties", lambda: chance.choice([False, True, inner()]))
        may(object_ / 4, "minProperties", lambda: 1)
        may(object_ / 4, "patternProperties", lambda: {"^a": inner()})
        may(object_ / 4, "propertyNames", lambda: chance.choice([{"maxLength": 1}, {"enum": ["a", "b"]}]))
        may(array, "items", inner)
        may(array / 3, "prefixItems", lambda: [inner()])
        may(array / 2, "maxItems", lambda: chance.randint(1, 3))
        may(array / 4, "uniqueItems", lambda: chance.choice([True, False]))
        for keyword in ("anyOf", "oneOf", "allOf"):
            may(0.08, keyword, lambda: [inner() for _ in range(chance.randint(1, 2))])
        may(0.04, "not", inner)
    may(0.06, "enum", lambda: [value(chance, 0) for _ in range(2)])
    may(0.05, "const", lambda: value(chance, 0))
    may(0.05, "$ref", lambda: chance.choice(["#/$defs/text", "#/$defs/whole"]))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_is_named_for_nothing_is_held(seed: int) -> None:
    chance, held = Random(seed), 0
    compile_schema = bounded_trial(xgrammar.Grammar.from_json_schema, Bounds())
    for _ in range(SCHEMAS):
        made = {**schema(chance), "$defs": DEFINED}
        misfits = [one for _ in range(12) if not Draft202012Validator(made).is_valid(one := value(chance))]
        if next(passed_over(made), None) is not None:
            continue
        try:
            grammar = compile_schema(made)
        except RuntimeError:  # refused, so it goes to llguidance
            continue
        held += 1
        for misfit in misfits:
            assert not accepts(grammar, json.dumps(misfit)), (made, misfit)
    assert held > SCHEMAS / 4
