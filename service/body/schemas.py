"""The JSON schemas of a request, which the engine makes grammars of: by far more slowly than they are sent.

One that takes all of its time or its memory stops everybody's answers, so how much they ask for is bounded.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chains.parameters import calls_tools
from chains.schemas.metaschema import no_schema
from chains.schemas.passed_over import passed_over
from chains.schemas.references import parts, wrong_reference
from chains.schemas.subschemas import placed
from chains.schemas.unpassable import empty_choice, unpassable
from chains.schemas.unreadable import unreadable
from service.errors import InvalidRequest

_MOST_ENTRIES = 5_000  # members and items; a thousand optional properties compile in seconds
_MOST_ITEMS = 10_000  # of a list: of 100,000 llguidance makes no grammar, of a billion it ends the process
_MOST_REPEATS = 1_000  # of what patterns count, together: XGrammar's time grows with the square
_COUNTED = re.compile(r"(?<!\\)\{(\d+)(?:,(\d*))?\}")
_SHOWN = 80  # characters of a pattern
_FAR = 10**9  # longer numbers are not read


def check_schemas(body: Mapping[str, Any]) -> None:
    """Refuse a schema of an answer, or of a tool's arguments, that is none, too much or refers to nothing.

    Raises:
        InvalidRequest: names the field, what was found and what is taken.
    """
    for name, schema in _schemas(body):
        if (held := _entries(schema)) > _MOST_ENTRIES:
            raise InvalidRequest(
                f"the schema in {name} holds {held:,} keywords, names and values; at most "
                f"{_MOST_ENTRIES:,} are taken",
                name,
            )
        _check_items(name, schema)
        if (repeats := sum(map(_repeats, _patterns(schema)))) > _MOST_REPEATS:
            raise InvalidRequest(
                f"the patterns of the schema in {name} repeat {repeats:,} times, by {{n}} and {{n,m}}; at "
                f"most {_MOST_REPEATS:,} are taken: bound the length of a text by maxLength",
                name,
            )
        if (wrong := wrong_reference(schema) or _wrong(schema) or no_schema(schema)) is not None:
            raise InvalidRequest(f"the schema in {name} can't be used: {wrong}", name)
    if calls_tools(body):
        _check_strict(body["tools"])


def _wrong(schema: Mapping[str, Any]) -> str | None:
    """Why no value can fit ``schema``, or a pattern of it can't be read; None: nothing is seen."""
    if (empty := empty_choice(schema) or unpassable(schema)) is not None:
        return f"{empty[0]} at {empty[1]} lets no value pass: correct it"
    for place, part in placed(schema):
        for pattern in _patterns_of(part):
            if (wrong := unreadable(pattern)) is not None:
                return f"the pattern {pattern[:_SHOWN]!r} at {place} can't be read: {wrong}"
    return None


def _check_strict(tools: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a tool that is ``strict`` and whose calls the engine could not hold to all of its schema."""
    for index, tool in enumerate(tools):
        function, place = tool["function"], f"tools[{index}].function.parameters"
        if not function.get("strict"):
            continue
        if (passed := next(passed_over(function.get("parameters")), None)) is not None:
            raise InvalidRequest(
                f"{passed.keyword} at {passed.place} of {place} can't be held, and strict asks that a call "
                "fits all of its schema: leave it out or say it in another way, or leave strict out and "
                "check the arguments",
                place,
            )


def _schemas(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema with its field; one that is not there is the engine's to ask for.

    Raises:
        InvalidRequest: one is no object.
    """
    form, wanted = body.get("response_format") or {}, body.get("structured_outputs") or {}
    inner = form.get("json_schema")
    found = [
        ("response_format", inner.get("schema") if isinstance(inner, dict) else None),
        ("structured_outputs", wanted.get("json")),
    ]
    for index, tool in enumerate(body.get("tools") or ()):
        found.append((f"tools[{index}].function.parameters", tool["function"].get("parameters")))
    for name, schema in found:
        if schema is None:
            continue
        read = _read(schema) if name == "structured_outputs" else schema
        if not isinstance(read, dict):
            raise InvalidRequest(f"the schema in {name} can't be used: {no_schema(read)}", name)
        yield name, read


def _read(schema: object) -> object:
    """``schema``, which may be written as a text."""
    if isinstance(schema, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(schema)
    return schema


def _check_items(name: str, schema: Mapping[str, Any]) -> None:
    for part in parts(schema):
        for keyword in ("minItems", "maxItems"):
            many = part.get(keyword)
            if isinstance(many, int | float) and many > _MOST_ITEMS:
                raise InvalidRequest(
                    f"{keyword} is {many:,.15g} in the schema in {name}; at most {_MOST_ITEMS:,} items are "
                    "taken: lower it, or leave it out",
                    name,
                )


def _patterns(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in parts(schema):
        yield from _patterns_of(part)


def _patterns_of(part: object) -> Iterator[str]:
    if not isinstance(part, Mapping):
        return
    if isinstance(pattern := part.get("pattern"), str):
        yield pattern
    if isinstance(named := part.get("patternProperties"), dict):
        yield from named


def _repeats(pattern: str) -> int:
    """How often its parts are repeated by a count, summed up."""
    most = (many or least for least, many in _COUNTED.findall(pattern))
    return sum(int(digits) if len(digits) < len(str(_FAR)) else _FAR for digits in most)


def _entries(value: object) -> int:
    """The members and items in ``value``, at any depth."""
    held, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        inside = list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
        held += len(inside)
        waiting += inside
    return held
