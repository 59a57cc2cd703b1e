"""Parameters of OpenAPI operations: where each goes, and how its value is written there.

Styles are those of OpenAPI 3.1, "Parameter Object" and "Style Values": ``simple`` in a path and in a header,
``form``, ``spaceDelimited``, ``pipeDelimited`` and ``deepObject`` in a query; or ``content``, as JSON.
What is null is left out, as RFC 6570 has it, and so is an array or an object that nothing is left of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from chains.errors import ArgumentsWrong

JSON = "application/json"
_STYLES = {  # by place, the default first
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
}
_BETWEEN = {"simple": ",", "form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}
_RESERVED = ":/?@!$'()*,;"  # what of RFC 3986's a query's value can hold and be read back
_IN_HEADER = " !#$%&'()*+,/:;=?@[]~"
_AS_JSON = "content"


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str  # path, query or header
    style: str  # of its place; or "content": as JSON
    explode: bool
    reserved: bool = False  # whether a query's value keeps reserved characters as they are

    def text(self, value: object) -> str | None:
        """``value`` as it stands in a path or in a header; None: nothing is to be sent.

        Raises:
            ArgumentsWrong: the style has no way to write it.
        """
        between = "=" if self.explode else ","
        parts = [between.join(pair) if isinstance(pair, tuple) else pair for pair in self._parts(value)]
        return ",".join(parts) if parts else None

    def query(self, value: object) -> list[str]:
        """``value`` as pieces ``name=value`` of a query, encoded.

        Raises:
            ArgumentsWrong: the style has no way to write it.
        """
        name, parts = quote(self.name, safe=""), list(self._parts(value))
        if self.style == "deepObject":
            if value is not None and not isinstance(value, dict):
                raise ArgumentsWrong(f"{self.name} must be an object")
            return [f"{name}%5B{pair[0]}%5D={pair[1]}" for pair in parts if isinstance(pair, tuple)]
        if self.explode:
            return ["=".join(pair) if isinstance(pair, tuple) else f"{name}={pair}" for pair in parts]
        flat = [text for part in parts for text in (part if isinstance(part, tuple) else (part,))]
        return [f"{name}={_BETWEEN[self.style].join(flat)}"] if flat else []

    def _parts(self, value: object) -> Iterator[str | tuple[str, str]]:
        """What ``value`` is made of, encoded: texts, and an object's keys with theirs."""
        if value is None:
            return
        if self.style == _AS_JSON:
            text = json.dumps(value)
            yield text if self.place == "header" else self._encoded(text)
        elif isinstance(value, dict):
            for key, item in value.items():
                if item is not None:
                    yield self._encoded(key, key=True), self._encoded(self._scalar(item))
        elif isinstance(value, list):
            for item in value:
                if item is not None:
                    yield self._encoded(self._scalar(item))
        else:
            yield self._encoded(self._scalar(value))

    def _scalar(self, value: object) -> str:
        if isinstance(value, dict | list):
            raise ArgumentsWrong(
                f"{self.name} can't hold {json.dumps(value)}: no lists or objects inside of it"
            )
        return value if isinstance(value, str) else json.dumps(value)

    def _encoded(self, text: str, *, key: bool = False) -> str:
        if self.place == "header":
            return quote(text, safe=_IN_HEADER)
        return quote(text, safe=_RESERVED if self.reserved and not key else "")


def parameter_of(
    given: Mapping[str, Any], plain: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> tuple[Parameter, dict[str, Any]] | None:
    """The parameter that a file describes (references written out), and its schema, which ``plain`` made.

    None: it is left out, as it need not be sent, and its place is none that is filled here.

    Raises:
        ValueError: its place, its style, or a value that its schema allows can't be written.
    """
    name, place = given["name"], given["in"]
    if place not in _STYLES:
        if given.get("required"):
            raise ValueError(f"the parameter {name!r} is in {place}; only {', '.join(_STYLES)} are sent")
        return None
    if (content := given.get("content")) is not None:
        if list(content) != [JSON]:
            raise ValueError(
                f"the parameter {name!r} is {', '.join(content) or 'of no type'}; only {JSON} is sent"
            )
        return Parameter(name, place, _AS_JSON, explode=True), plain(content[JSON].get("schema") or {})
    style = given.get("style", _STYLES[place][0])
    if style not in _STYLES[place]:
        known = ", ".join(_STYLES[place])
        raise ValueError(f"the parameter {name!r} has the style {style!r}; in {place} is sent: {known}")
    explode = bool(given.get("explode", style in ("form", "deepObject")))
    if explode and style in ("spaceDelimited", "pipeDelimited"):
        raise ValueError(
            f"the parameter {name!r} has the style {style!r} with explode, which OpenAPI leaves undefined"
        )
    schema = plain(given.get("schema") or {})
    if style == "deepObject" and (kinds := set(_kinds(schema))) and "object" not in kinds:
        raise ValueError(f"the parameter {name!r} has the style deepObject and is no object")
    if any(not {"array", "object"}.isdisjoint(_kinds(part)) for part in _inside(schema)):
        raise ValueError(
            f"the parameter {name!r} holds lists or objects in another, which {style} can't write"
        )
    return Parameter(name, place, style, explode, bool(given.get("allowReserved"))), schema


def _ways(schema: object) -> Iterator[Mapping[str, Any]]:
    """``schema`` and what it is made of by allOf, anyOf and oneOf."""
    if isinstance(schema, Mapping):
        yield schema
        for keyword in ("allOf", "anyOf", "oneOf"):
            for each in schema.get(keyword) or ():
                yield from _ways(each)


def _kinds(schema: object) -> Iterator[str]:
    """The types that ``schema`` names."""
    for way in _ways(schema):
        kind = way.get("type")
        yield from kind if isinstance(kind, list) else [kind] if isinstance(kind, str) else []


def _inside(schema: object) -> Iterator[object]:
    """The schemas of the items and the properties of ``schema``."""
    for way in _ways(schema):
        properties = way.get("properties")
        yield from properties.values() if isinstance(properties, Mapping) else ()
        yield from (way.get("items"), way.get("additionalProperties"))
        yield from way.get("prefixItems") or ()
