"""A JSON schema in the words that XGrammar takes: what it refuses otherwise, or reads wrong, is said anew.

What is written fits the schema as it came, but for a pattern that can't be said so: it goes, so that what is
written is JSON. :mod:`chains.schemas.passed_over` names such patterns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from chains.schemas.disjoint import names_in
from chains.schemas.escaped import names_escaped
from chains.schemas.multiples import KEYWORDS, decimals, holds_step, is_whole, multiples, of_numbers
from chains.schemas.records import with_listed
from chains.schemas.references import at
from chains.schemas.subschemas import placed, rebuilt
from chains.schemas.tuples import as_prefix
from service.engine.patterns import counted

_DEFINED = "pointsman-named-{}"
_ROUNDED = {"minimum": math.ceil, "maximum": math.floor}
_EXCLUSIVE = {  # of whole numbers: the bound that says the same, and the next number within
    "exclusiveMinimum": ("minimum", math.ceil),
    "exclusiveMaximum": ("maximum", math.floor),
}


def for_xgrammar(schema: Any) -> Any:
    """``schema``, which stays as it is, for XGrammar; its patterns by :func:`with_counted` then."""
    return _with_plain_references(rebuilt(with_listed(schema), _say))


def with_counted(schema: Any) -> Any:
    """``schema`` with its patterns as XGrammar reads them right."""
    return rebuilt(schema, _count)


def _say(part: dict[str, Any]) -> None:
    if (newer := as_prefix(part)) is not part:
        part.clear()
        part |= newer
    kinds = names_in(part, "type")
    if "array" in kinds:
        _say_items(part)
    if len(kinds) > 1 and "multipleOf" in part and "anyOf" not in part and holds_step(part):
        _say_numbers_apart(part)
        return
    if decimals(part) is None and (numbers := multiples(part)) is not None:
        for key in KEYWORDS & part.keys():
            del part[key]
        part["enum"] = numbers
    elif decimals(part) is None and is_whole(part):
        part["type"] = "integer"
        part["multipleOf"] = int(part["multipleOf"])
    if "integer" in kinds and "number" not in kinds:
        _say_whole(part)
    _leave_escaped(part)
    _leave_false(part)


def _say_numbers_apart(part: dict[str, Any]) -> None:
    """A step of numbers beside another type, null for instance: each type by itself."""
    numbers = of_numbers(part) or {}
    others = {key: value for key, value in part.items() if key not in KEYWORDS}
    others["type"] = sorted(names_in(part, "type") - {numbers["type"]})
    ways = [rebuilt(way, _say) for way in (numbers, others)]
    part.clear()
    part["anyOf"] = ways


def _count(part: dict[str, Any]) -> None:
    if isinstance(pattern := part.get("pattern"), str):
        part["pattern"] = counted(pattern)
    if isinstance(patterns := part.get("patternProperties"), Mapping):
        part["patternProperties"] = {counted(name): value for name, value in patterns.items()}


def _say_items(part: dict[str, Any]) -> None:
    """A list of which nothing is said but its length holds anything; more may follow what comes first."""
    first, least, most = (part.get(key) for key in ("prefixItems", "minItems", "maxItems"))
    if not isinstance(first, list):
        part.setdefault("items", {})
    elif isinstance(most, int) and most < len(first):
        part["prefixItems"] = first[:most]
    elif isinstance(least, int) and least > len(first):
        part.setdefault("items", {})


def _say_whole(part: dict[str, Any]) -> None:
    """Bounds of whole numbers that are whole."""
    for key, rounded in _ROUNDED.items():
        if _is_between(bound := part.get(key)):
            part[key] = rounded(bound)
    for key, (other, rounded) in _EXCLUSIVE.items():
        if _is_between(bound := part.get(key)):
            del part[key]
            nearer = max if other == "minimum" else min
            part[other] = nearer(rounded(bound), part.get(other, rounded(bound)))


def _is_between(bound: object) -> TypeGuard[float]:
    return isinstance(bound, float) and math.isfinite(bound) and not bound.is_integer()


def _leave_escaped(part: dict[str, Any]) -> None:
    """Patterns go whose texts would be no JSON."""
    pattern, patterns = part.get("pattern"), part.get("patternProperties")
    if isinstance(pattern, str) and names_escaped(pattern):
        del part["pattern"]
    if isinstance(patterns, Mapping) and any(map(names_escaped, patterns)):
        del part["patternProperties"]
        part["additionalProperties"] = True


def _leave_false(part: dict[str, Any]) -> None:
    """What lets nothing pass is left out where something else may pass."""
    properties = part.get("properties")
    if isinstance(properties, Mapping) and False in properties.values():
        required = names_in(part, "required")
        part["properties"] = {
            name: value for name, value in properties.items() if value is not False or name in required
        }
    for key in ("anyOf", "oneOf"):
        ways = part.get(key)
        if isinstance(ways, list) and (kept := [way for way in ways if way is not False]):
            part[key] = kept


def _with_plain_references(schema: Any) -> Any:
    """``schema`` whose references name definitions, where their way holds what is escaped or a list."""
    if not isinstance(schema, Mapping):
        return schema
    wanted: dict[str, str] = {}
    for _, part in placed(schema):
        reference = part.get("$ref") if isinstance(part, Mapping) else None
        if isinstance(reference, str) and reference not in wanted and not _is_plain(reference, schema):
            wanted[reference] = _DEFINED.format(len(wanted))
    if not wanted:
        return schema
    named = {name: at(reference, schema) for reference, name in wanted.items()}
    whole = {**schema, "$defs": {**(schema.get("$defs") or {}), **named}}

    def rename(part: dict[str, Any]) -> None:
        if isinstance(reference := part.get("$ref"), str) and reference in wanted:
            part["$ref"] = f"#/$defs/{wanted[reference]}"

    return rebuilt(whole, rename)


def _is_plain(reference: str, schema: Mapping[str, Any]) -> bool:
    """Whether XGrammar finds what ``reference`` names, or nothing is named."""
    if not reference.startswith("#/") or at(reference, schema) is None:
        return True
    part: Any = schema
    for name in reference.split("/")[1:]:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part is not None
