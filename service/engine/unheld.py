"""Why an engine can't hold an answer to a schema, by keyword and place: llguidance tells no places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chains.schemas.disjoint import mapping_in, names_in
from chains.schemas.formats import CHECKED
from chains.schemas.multiples import is_countable
from chains.schemas.passed_over import passed_over
from chains.schemas.subschemas import placed

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MOST = 2**63  # of a bound
_SAID = (  # llguidance's words, and the keywords that they are about; none: it names them
    (re.compile(r"Unimplemented keys: \[(.*?)\]"), ()),
    (re.compile(r"Unknown format"), ("format",)),
    (re.compile(r"oneOf constraints are not supported"), ("oneOf",)),
    (re.compile(r"circular references with sibling keys"), ("$ref",)),
    (re.compile(r"min/maxProperties only supported"), ("minProperties", "maxProperties")),
    (re.compile(r"patternProperty regexes"), ("patternProperties",)),
    (re.compile(r"Value for 'multipleOf' has too many digits"), ("multipleOf",)),
    (re.compile(r"Failed to generate regex for|not JSON serializable|exceeds m\w+ limit"), _BOUNDS),
    (re.compile(r"[Rr]egex parse error|look-?around|backreference"), ("pattern", "patternProperties")),
)
_UNSATISFIABLE = re.compile(
    r"Unsatisfiable schema: (?:required property '(?P<name>.*)' is unsatisfiable|(?P<reason>[^\n]*))"
    r"(?:\s+while processing json-schema:///(?P<place>#\S*))?",
    re.DOTALL,
)
_WHY = {
    "oneOf": "its schemas may overlap, so use anyOf, or a const by which they differ in a property that each "
    "requires",
    "$ref": "what stands beside it joins a schema that holds itself, so put it into that schema",
    **dict.fromkeys(_BOUNDS, "numbers are bounded within 64 bits, so lower it or leave it out"),
    "multipleOf": "its step has too many digits, so take one of fewer or leave it out",
    "minProperties": "it counts properties that need not be there, so require all that are named",
}
_CHAIN = ", or send x-pointsman-chain: structured, which checks the answer against all of its schema"


def unheld(message: str, request: Mapping[str, Any]) -> str | None:
    """What of the schema in ``request`` a refusal is about, in a sentence; None: ``message`` says more."""
    if (schema := _schema_of(request)) is None:
        return None
    if (unsatisfiable := _UNSATISFIABLE.search(message)) is not None:
        return _nothing_fits(unsatisfiable, schema)
    if (found := _keyword_in(message, schema)) is None:
        return None
    keyword, at = found
    why = _WHY.get(keyword, "leave it out")
    if keyword in {"format", "pattern"} and "Unimplemented keys" not in message:
        why = f"leave it out ({_reason(message)})"
    return f"{keyword} at {at} is held by no guide of the engine's: {why}"


def advice(message: str, request: Mapping[str, Any] | None) -> str:
    """What a client may do instead, told behind the refusal ``message`` where the chain there is another."""
    schema = _schema_of(request or {})
    if schema is None or request is None or "messages" not in request or _UNSATISFIABLE.search(message):
        return ""
    found = _keyword_in(message, schema)
    return _CHAIN if found is not None and _is_checked(found[0], message) else ""


def _keyword_in(message: str, schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """The keyword that llguidance's ``message`` is about, and the first place of it that it may mean."""
    found = next(((said, words) for words, said in _SAID if words.search(message)), None)
    if found is None:
        return None
    said, words = found
    keywords = said or tuple(re.findall(r'"([^"]+)"', words.findall(message)[0]))
    return next((held for held in _places(schema) if held[0] in keywords), None)


def _nothing_fits(said: re.Match[str], schema: Mapping[str, Any]) -> str | None:
    """What lets nothing pass, and where: the first part of ``schema`` that requires the property named."""
    name, place = said["name"], said["place"] or "#"
    if name is None:
        return f"the rules at {place} let no value pass together ({said['reason']}): correct them"
    for at, part in placed(schema):
        needed = mapping_in(part, "properties").get(name) if isinstance(part, Mapping) else None
        if needed is not None and name in names_in(part, "required"):
            rules = ", ".join(needed) if isinstance(needed, Mapping) else "false"
            where = f"{at}/properties/{name}"
            return f"{rules} at {where} let no value pass together, and it is required: correct them"
    return None


def _is_checked(keyword: str, message: str) -> bool:
    """Whether that chain checks what the refusal ``message`` is about: not every format."""
    named = re.search(r"Unknown format: (\S+)", message)
    return keyword != "format" or named is None or named[1] in CHECKED


def _reason(message: str) -> str:
    return message.removeprefix("Grammar error: ").strip().splitlines()[-1].removeprefix("error: ")


def _schema_of(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = (request.get("response_format") or {}).get("json_schema") or {}
    schema = form.get("schema") or (request.get("structured_outputs") or {}).get("json")
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            return None
    return schema if isinstance(schema, Mapping) else None


def _places(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each keyword with its place: those that XGrammar passes over before all others."""
    yield from ((one.keyword, one.place) for one in passed_over(schema) if one.keyword != "multipleOf")
    for place, part in placed(schema):
        if isinstance(part, Mapping):
            yield from ((key, place) for key, value in part.items() if _may_be_refused(key, value))


def _may_be_refused(keyword: str, value: object) -> bool:
    """Whether llguidance may be against ``keyword`` for its ``value``: of numbers it refuses some."""
    if keyword in _BOUNDS:
        return isinstance(value, int | float) and abs(value) >= _MOST
    return keyword != "multipleOf" or not is_countable(value)
