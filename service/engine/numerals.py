"""Numbers that XGrammar's JSON schemas can't say, as rules of its grammars.

It has ``multipleOf`` of whole numbers without bounds alone, and of the values of an ``enum`` or ``const`` it
writes 19.99 as 19.989999999999998. In a schema texts stand for them, which :func:`spelled` then replaces in
the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

from chains.schemas.multiples import KEYWORDS, decimals
from chains.schemas.subschemas import rebuilt
from service.engine.digits import ITSELF, rule_of

_MARK = "pointsman-number-{}-"  # in a schema
_MARKED = re.compile(r'"(?:\\")?pointsman-number-(\d{1,9})-(?:\\")?"')  # in a grammar, quoted in JSON or not
_RULE = "pointsman_number_{}"  # in a grammar


def marked(schema: Any) -> tuple[Any, list[str]]:
    """``schema``, which stays as it is, with texts for such numbers, and the rule of each."""
    rules: dict[str, int] = {}

    def mark(rule: str) -> str:
        return _MARK.format(rules.setdefault(rule, len(rules)))

    def change(part: dict[str, Any]) -> None:
        if (numbers := decimals(part)) is not None:
            for key in KEYWORDS & part.keys():
                del part[key]
            del part["type"]
            part["const"] = mark(rule_of(numbers))
        elif isinstance(values := part.get("enum"), list) and any(map(_is_fraction, values)):
            part.pop("type", None)
            part["enum"] = [mark(_text(value)) if _is_fraction(value) else value for value in values]
        elif _is_fraction(value := part.get("const")):
            part.pop("type", None)
            part["const"] = mark(_text(value))

    return rebuilt(schema, change), list(rules)


def spelled(grammar: str, rules: Sequence[str]) -> str:
    """``grammar``, in XGrammar's EBNF and of a schema that was marked, with its ``rules``."""

    def named(mark: re.Match[str]) -> str:
        return _RULE.format(mark[1]) if int(mark[1]) < len(rules) else mark[0]

    names = [_RULE.format(index) for index in range(len(rules))]
    said = (f"{name} ::= {rule.replace(ITSELF, name)}" for name, rule in zip(names, rules, strict=True))
    return "\n".join([_MARKED.sub(named, grammar), *said, ""])


def _is_fraction(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and not value.is_integer()


def _text(value: float) -> str:
    return f'"{json.dumps(value)}"'
