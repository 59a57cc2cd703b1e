"""The keywords of a JSON schema that XGrammar passes over without a word: no answer is held to them.

Found by giving XGrammar 0.2.8 schemas and what does not fit them. It takes of a part of a schema the first
of ``$ref``, ``const``, ``enum``, ``anyOf``, ``oneOf`` and ``type``, and little of what stands beside it;
without a ``type`` it holds lists and objects alone, where what they hold is said. What it refuses is not told
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chains.schemas.discriminated import requiring, telling
from chains.schemas.disjoint import are_disjoint, mapping_in, names_in, resolved
from chains.schemas.escaped import names_escaped
from chains.schemas.implied import fits_length, is_implied, joined
from chains.schemas.listed import agreeing
from chains.schemas.multiples import holds_step
from chains.schemas.neutral import is_neutral
from chains.schemas.records import listed
from chains.schemas.references import at
from chains.schemas.subschemas import HOLDING, NAMED

FORMATS = frozenset(  # of a text, that XGrammar holds
    {"email", "date", "time", "date-time", "duration", "ipv4", "ipv6", "hostname", "uuid", "uri"}
    | {"uri-reference", "uri-template", "json-pointer", "relative-json-pointer"}
)
_NEVER = frozenset(
    {"not", "if", "dependentRequired", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef"}
)
_JOINS = ("$ref", "const", "enum", "anyOf", "oneOf", "allOf")  # the first that is there is taken
_STRING = frozenset({"minLength", "maxLength", "pattern", "format"})
_NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ARRAY = frozenset({"items", "prefixItems", "additionalItems", "unevaluatedItems"})
_COUNTED = frozenset({"minItems", "maxItems", "uniqueItems", "contains"})
_OBJECT = frozenset({"properties", "additionalProperties", "unevaluatedProperties"})
_NAMES = frozenset({"required", "minProperties", "maxProperties", "propertyNames", "patternProperties"})
_RULES = _NEVER | {*_JOINS, "type"} | _STRING | _NUMBER | _ARRAY | _COUNTED | _OBJECT | _NAMES
_NAME_RULES = _STRING | {"type", "enum", "const"}  # of propertyNames
_BESIDE_NAMES = ("properties", "patternProperties", "required")
_SKIPPED = _NEVER | {"then", "else", "propertyNames", "$defs", "definitions"}

_APART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)  # what stands for a character
_LOOKS = re.compile(r"\(\?[=!]|[^(|:]\^|\$[^)|]", re.DOTALL)  # around, or for an end where none is


@dataclass(frozen=True, slots=True)
class Passed:
    """One keyword that is passed over."""

    keyword: str
    place: str  # of the part of the schema that it stands in, as a $ref would name it


def passed_over(schema: Any) -> Iterator[Passed]:
    """Each keyword in ``schema`` that XGrammar passes over, in the schema's order; unused parts have none."""
    waiting, seen = [("#", schema)], {"#"}
    while waiting:
        place, part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        found = _passed(part, schema)
        yield from (Passed(keyword, place) for keyword in part if keyword in found)
        waiting += reversed(list(_within(place, part, schema, seen)))


def _within(
    place: str, part: Mapping[str, Any], root: Mapping[str, Any], seen: set[str]
) -> Iterator[tuple[str, Any]]:
    """The schemas in ``part``, with their places, and what it refers to, once."""
    for key, value in part.items():
        if key == "$ref" and isinstance(value, str) and value not in seen:
            seen.add(value)
            yield value, at(value, root)
        elif key in _SKIPPED:
            continue
        elif key in NAMED and isinstance(value, Mapping):
            yield from ((f"{place}/{key}/{name}", each) for name, each in value.items())
        elif key in HOLDING and isinstance(value, list):
            yield from ((f"{place}/{key}/{index}", each) for index, each in enumerate(value))
        elif key in HOLDING:
            yield f"{place}/{key}", value


def _passed(part: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    """The keywords of ``part`` itself that are passed over."""
    rules = {key for key in part if key in _RULES and _says(key, part)}
    never = rules & _NEVER
    rules -= never
    join = next((key for key in _JOINS if key in rules), None)
    if join is None:
        return never | _passed_by_type(part, rules)
    beside = rules - {join} - agreeing(part)
    if join == "allOf":
        alone = isinstance(part["allOf"], list) and len(part["allOf"]) == 1 and not beside
        return never | (set() if alone else {"allOf"})
    if join not in {"const", "enum"} and _agrees(part, join, root):
        beside.discard("type")
    inexact = (join == "$ref" and re.match(r"#(?:/|$)", str(part[join])) is None) or (
        join == "oneOf" and isinstance(part[join], list) and not are_disjoint(_tagged(part, root), root)
    )
    return never | beside | ({join} if inexact else set())


def _tagged(part: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    """The schemas of ``part``'s ``oneOf``; of those that a discriminator tells apart, each requires it."""
    ways: list[Any] = part["oneOf"]
    if (name := telling(part)) is None:
        return ways
    return [requiring(resolved(way, root), name) for way in ways]


def _says(key: str, part: Mapping[str, Any]) -> bool:
    """Whether a keyword asks for anything."""
    if key == "if":
        return "then" in part or "else" in part
    return not is_neutral(key, part[key]) and (part[key] != [] or key in _JOINS)


def _agrees(part: Mapping[str, Any], join: str, root: Mapping[str, Any]) -> bool:
    """Whether whatever ``join`` takes is of the ``type`` that ``part`` says."""
    ways = [at(str(part[join]), root)] if join == "$ref" else part[join]
    named = names_in(part, "type")
    return isinstance(ways, list) and all(
        isinstance(way, Mapping) and "type" in way and names_in(way, "type") <= named for way in ways
    )


def _passed_by_type(part: Mapping[str, Any], rules: set[str]) -> set[str]:
    if "type" in rules:
        kinds = names_in(part, "type")
    elif rules & (_OBJECT | _ARRAY):
        kinds = {"object"} if rules & _OBJECT else {"array"}
    else:
        return rules
    found = set[str]()
    if "string" in kinds:
        found |= _passed_of_text(part, rules)
    if kinds & {"integer", "number"} and not holds_step(part):
        found |= rules & {"multipleOf"}
    if "array" in kinds:
        found |= rules & {"uniqueItems", "contains"}
    if "object" in kinds:
        found |= _passed_of_object(part, rules)
    return found


def _passed_of_text(part: Mapping[str, Any], rules: set[str]) -> set[str]:
    found = set[str]()
    if "format" in rules and str(part["format"]) not in FORMATS:
        found.add("format")
    pattern, form = part.get("pattern"), part.get("format")
    if "pattern" in rules and not is_implied(pattern, form):
        both = "format" in rules and joined(pattern, form) is None
        found |= {"pattern"} if both or _is_misread(str(pattern)) else set()
    if "pattern" in rules or "format" in rules:
        found |= {key for key in rules & {"minLength", "maxLength"} if not fits_length(key, part)}
    return found


def _passed_of_object(part: Mapping[str, Any], rules: set[str]) -> set[str]:
    if (said := listed(part)) is not None:
        part, rules = said, rules & said.keys()
    named, patterns = mapping_in(part, "properties"), mapping_in(part, "patternProperties")
    found = set[str]()
    if "required" in rules and not names_in(part, "required") <= named.keys():
        found.add("required")
    if any(each is False for each in named.values()) and part.get("additionalProperties", False) is not False:
        found.add("properties")  # a name that is forbidden among others that are not
    if "propertyNames" in rules and not _holds_names(part, rules):
        found.add("propertyNames")
    if patterns and (named or len(patterns) > 1 or any(map(_is_misread, patterns))):
        found.add("patternProperties")
    return found


def _holds_names(part: Mapping[str, Any], rules: set[str]) -> bool:
    names = part["propertyNames"]
    if "type" not in rules or not isinstance(names, Mapping) or not rules.isdisjoint(_BESIDE_NAMES):
        return False
    inner = {key for key in names if key in _RULES}
    alone = inner <= _NAME_RULES and not _passed({**names, "type": "string"}, names)
    return alone and part.get("additionalProperties", True) is not False


def _is_misread(pattern: str) -> bool:
    """Whether XGrammar lets pass what does not fit ``pattern``, or is no JSON."""
    return _looks_around(pattern) or names_escaped(pattern)


def _looks_around(pattern: str) -> bool:
    """Whether ``pattern`` says something about what stands before or behind, which is passed over."""
    return re.search(r"\\[AZz]", re.sub(r"\\\\", "", pattern)) is not None or (
        _LOOKS.search(_APART.sub("x", pattern)) is not None
    )
