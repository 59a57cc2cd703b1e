"""Patterns whose counts XGrammar takes, held against the patterns as they came."""

from __future__ import annotations

import json
import random
import re

import pytest

from service.engine.for_xgrammar import with_counted
from service.engine.patterns import counted
from tests.service.engine.compilers import compiled


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("^[a-z]{1,255}$", "^[a-z]{1,128}[a-z]{0,127}$"),
        ("^([a-z]{2}){130}$", "^([a-z]{2}){128}([a-z]{2}){2}$"),
        (r"^[)?]a\){1,130}$", r"^[)?]a\){1,128}\){0,2}$"),
        ("^(a|b{1,129})?$", "^(a|b{1,128}b{0,1}){0,1}$"),
        ("^x{129,}$", "^x{128}x{1,}$"),
        (r"^\x41{129}\p{Lu}{129}$", r"^\x41{128}\x41{1}\p{Lu}{128}\p{Lu}{1}$"),
        ("^a{3,128}?b(c)?+$", "^a{3,128}?b(c){0,1}+$"),
        ("((", "(("),
        ("a{,200}", "a{,200}"),
    ],
)
def test_a_large_count_is_said_in_parts(pattern: str, said: str) -> None:
    assert counted(pattern) == said


def test_patterns_by_chance_are_held_as_they_came() -> None:
    chance = random.Random(7)
    atoms = ("[a-c]", "a", "(ab)", "(a|b)", "(a{1,3}b)", r"\w", ".")
    for _ in range(25):
        least = chance.randint(0, 200)
        most = least + chance.randint(1, 200)
        count = chance.choice((f"{{{least},}}", f"{{{most}}}", f"{{{least},{most}}}"))
        pattern = f"^{chance.choice(('', 'x', 'z?'))}{chance.choice(atoms)}{count}{chance.choice(('', 'y'))}$"
        fits = compiled({"type": "string", "pattern": pattern})
        for times in (0, 1, least, most, most + 1, 127, 128, 129, chance.randint(0, 420)):
            text = chance.choice(("", "x", "z")) + chance.choice(("a", "ab", "b", "w")) * times
            assert fits(json.dumps(text)) is (re.search(pattern, text) is not None), (pattern, times)


def test_a_name_of_a_property_is_counted_too() -> None:
    named = {"^[a-z]{1,200}$": {"type": "integer"}}
    fits = compiled({"type": "object", "patternProperties": named, "additionalProperties": False})
    assert fits(json.dumps({"a" * 200: 1}))
    assert not fits(json.dumps({"a" * 201: 1}))
    names = {"type": "object", "propertyNames": {"pattern": "^[a-z]{1,200}$"}}
    assert with_counted(names)["propertyNames"] == {"pattern": "^[a-z]{1,128}[a-z]{0,72}$"}
