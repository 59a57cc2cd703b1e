"""How much of what a JSON schema leaves open a guided answer may write.

JSON allows strings, numbers and lists of any length. A small model that is guided into a schema which it was
never trained on may write nothing else until its tokens end. What is written within the bounds fits the
schema as it came, too. :mod:`service.engine.guides` speaks to the compilers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from chains.schemas.discriminated import with_tags
from chains.schemas.disjoint import names_in
from chains.schemas.implied import fits_length, is_implied, joined
from chains.schemas.multiples import decimals, holds_step
from chains.schemas.neutral import without_neutral
from service.engine.bounded_formats import bounded, exact, within
from service.engine.open_objects import closed

_CLOSED = ("maxLength", "pattern", "format", "enum", "const")  # of a string: it has an end, or another rule
_RULED = ("minLength", "maxLength", "pattern", "enum", "const")  # beside a format: it is left as it is
_FRACTION = (r"(?:\.\d+)?", r"(?:\.\d{1,6})?")  # of a second, and one that has an end
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_DIGITS = 15  # XGrammar reads bounds as 64 bits
_ONE = ("items", "additionalProperties", "additionalItems", "contains")  # hold a schema
_SOME = ("anyOf", "oneOf", "allOf", "prefixItems")  # hold a list of schemas
_NAMED = ("properties", "patternProperties", "$defs", "definitions")  # hold schemas by name


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of what a schema leaves open is written; None: any amount."""

    characters: int | None = None  # of a string
    digits: int | None = None  # of a number before its point, 15 at most; behind it XGrammar then allows 6
    items: int | None = None  # of a list, and of an object of which nothing is said

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Those that ``environment`` sets.

        Raises:
            ValueError: one is no positive number.
        """
        found: dict[str, int] = {}
        for name in ("characters", "digits", "items"):
            variable = f"POINTSMAN_GUIDED_{name.upper()}"
            if (text := environment.get(variable, "")) == "":
                continue
            if not text.isdecimal() or int(text) == 0:
                raise ValueError(f"{variable} must be a positive number, found {text!r}")
            found[name] = min(int(text), _DIGITS) if name == "digits" else int(text)
        return cls(**found)

    def over(self, schema: Any) -> Any:
        """The JSON ``schema`` with what it leaves open bounded, at any depth.

        What asks for nothing goes, and what tells the schemas of a ``oneOf`` apart is written out.
        """
        schema = with_tags(without_neutral(schema))
        return self._over(schema if self.items is None else closed(schema, self.items))

    def _over(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        found = {**schema, **_counts(schema)}
        if "format" in found:
            _hold_format(found, self.characters)
        for key in _ONE:
            if key in found:
                found[key] = self._over(found[key])
        for key in _SOME:
            if isinstance(found.get(key), list):
                found[key] = [self._over(part) for part in found[key]]
        for key in _NAMED:
            if isinstance(found.get(key), dict):
                found[key] = {name: self._over(part) for name, part in found[key].items()}
        kinds = names_in(found, "type")
        if self.characters is not None and "string" in kinds:
            _end(found, self.characters)
        if self.digits is not None and not {"integer", "number"}.isdisjoint(kinds):
            _close(found, 10**self.digits - 1)
        if self.items is not None and "array" in kinds and "maxItems" not in found:
            first = found.get("prefixItems")
            least = max(self.items, len(first)) if isinstance(first, list) else self.items
            found["maxItems"] = _at_least(least, found.get("minItems"))
        return found


def _hold_format(schema: dict[str, Any], characters: int | None) -> None:
    """Leave one of a text's format and what stands beside it, which XGrammar does not hold together."""
    form, pattern = schema["format"], schema.get("pattern")
    if (both := joined(pattern, form)) is not None:
        del schema["format"]
        schema["pattern"] = both if characters is None else both.replace(*_FRACTION)
        return
    if is_implied(pattern, form):
        del schema["format"]
        schema["pattern"] = bounded(form) if characters is None else bounded(form, characters)
        return
    most = schema.get("maxLength")
    for key in ("minLength", "maxLength"):
        if key in schema and fits_length(key, schema):
            del schema[key]
    if any(key in schema for key in _RULED):
        schema |= {"maxLength": most} if most is not None else {}
    elif most is not None:
        del schema["format"]
        schema["pattern"] = within(most, characters or most)
    elif (pattern := exact(str(form))) is not None:
        ending = None if characters is None else bounded(str(form), characters)
        del schema["format"]
        schema["pattern"] = ending or pattern


def _end(schema: dict[str, Any], characters: int) -> None:
    """Give a text's ``schema`` an end."""
    if not any(key in schema for key in _CLOSED):
        schema["maxLength"] = _at_least(characters, schema.get("minLength"))
    elif not any(key in schema for key in _RULED) and (
        (pattern := bounded(str(schema.get("format")), characters)) is not None
    ):
        del schema["format"]
        schema["pattern"] = pattern


def _close(schema: dict[str, Any], most: int) -> None:
    """Give a number's ``schema`` the bounds that it lacks: ``most`` either way, if its step is held then."""
    if "enum" in schema or "const" in schema:
        return
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    bounds: dict[str, int] = {}
    if low is None and not (isinstance(high, int | float) and high < -most):
        bounds["minimum"] = -most
    if high is None and not (isinstance(low, int | float) and low > most):
        bounds["maximum"] = most
    if not holds_step(schema) or decimals({**schema, **bounds}) is not None:
        schema |= bounds


def _counts(schema: Mapping[str, Any]) -> dict[str, int]:
    """What counts in ``schema`` and is written as 2.0, which both compilers refuse."""
    return {
        key: int(schema[key])
        for key in _COUNTS
        if isinstance(schema.get(key), float) and schema[key].is_integer()
    }


def _at_least(bound: int, least: object) -> int:
    return max(bound, least) if isinstance(least, int) else bound
