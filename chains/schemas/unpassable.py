"""Where a JSON schema lets no value pass, by keyword and place, as far as one part of it shows that alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from chains.schemas.disjoint import names_in
from chains.schemas.listed import against
from chains.schemas.multiples import BOUNDS, leaves_no_multiple
from chains.schemas.references import at
from chains.schemas.subschemas import placed

_COUNTS = {  # what is at least and at most, and whose
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_SPELLED = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_ALL = tuple({f"\\{kind}", f"\\{kind.upper()}"} for kind in "sdw")  # which together leave nothing
_MAY_LACK = re.compile(r"[*?|]|\{0*[,}]")  # a pattern that holds it may do without a part
_APART = frozenset({"not", "if", "then", "else"})  # where nothing must pass


def unpassable(schema: Any) -> tuple[str, str] | None:
    """The keyword and place by which nothing passes ``schema`` itself; None: none is seen.

    What may be left out, or is one of several ways, is not looked at: something else may pass.
    """
    waiting: list[tuple[str, Any]] = [("#", schema)]
    seen = {"#"}
    while waiting:
        place, part = waiting.pop()
        if (keyword := lets_nothing_pass(part)) is not None:
            return keyword, place
        if not isinstance(part, Mapping):
            continue
        for inner, needed in _needed(place, part, schema):
            if inner not in seen:
                seen.add(inner)
                waiting.append((inner, needed))
    return None


def empty_choice(schema: Any) -> tuple[str, str] | None:
    """The first ``anyOf`` or ``oneOf`` in ``schema`` that is empty, with its place; None: there is none."""
    for place, part in placed(schema):
        if isinstance(part, Mapping) and _APART.isdisjoint(place.split("/")):
            for keyword in ("anyOf", "oneOf"):
                if part.get(keyword) == []:
                    return keyword, place
    return None


def lets_nothing_pass(part: Any) -> str | None:
    """What of ``part`` alone lets nothing pass; None: nothing is seen."""
    if part is False:
        return "false"
    if not isinstance(part, Mapping):
        return None
    return next(_empty(part), None)


def _needed(place: str, part: Mapping[str, Any], root: Any) -> Iterator[tuple[str, Any]]:
    """What in ``part`` every value that passes fits."""
    reference = part.get("$ref")
    if isinstance(reference, str) and (target := at(reference, root)) is not None:
        yield reference, target
    if isinstance(every := part.get("allOf"), list):
        yield from ((f"{place}/allOf/{index}", each) for index, each in enumerate(every))
    for keyword in ("anyOf", "oneOf"):
        ways = part.get(keyword)
        if isinstance(ways, list) and ways and all(lets_nothing_pass(way) for way in ways):
            yield f"{place}/{keyword}/0", ways[0]
    kinds = names_in(part, "type")
    named = part.get("properties")
    if kinds == {"object"} and isinstance(named, Mapping):
        for name in sorted(names_in(part, "required") & named.keys()):
            yield f"{place}/properties/{name}", named[name]
    least = part.get("minItems")
    if kinds == {"array"} and isinstance(least, int | float) and least >= 1:
        first = part.get("prefixItems")
        if isinstance(first, list) and first:
            yield f"{place}/prefixItems/0", first[0]
        elif not isinstance(first, list) and not isinstance(part.get("items", True), list):
            yield f"{place}/items", part.get("items", True)


def _empty(part: Mapping[str, Any]) -> Iterator[str]:
    yield from (key for key in ("enum", "anyOf", "oneOf") if part.get(key) == [])
    if (keywords := against(part)) is not None:
        yield keywords
    kinds = names_in(part, "type")
    if len(kinds) != 1:
        return
    (kind,) = kinds
    if kind in _COUNTS:
        low, high = _COUNTS[kind]
        least, most = part.get(low), part.get(high)
        if _is_number(least) and _is_number(most) and least > most:
            yield f"{low} above {high}"
    elif kind in ("integer", "number"):
        yield from _empty_range(part, whole=kind == "integer")
        if leaves_no_multiple(part):
            yield f"multipleOf against {' and '.join(key for key in BOUNDS if key in part)}"
    if kind == "string" and _lacks_characters(part.get("pattern")):
        yield "pattern"


def _empty_range(part: Mapping[str, Any], *, whole: bool) -> Iterator[str]:
    for low, high in (
        *(("minimum", "maximum"), ("minimum", "exclusiveMaximum")),
        *(("exclusiveMinimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum")),
    ):
        least, most = part.get(low), part.get(high)
        if not _is_number(least) or not _is_number(most):
            continue
        if whole:
            first = math.floor(least) + 1 if low.startswith("ex") else math.ceil(least)
            last = math.ceil(most) - 1 if high.startswith("ex") else math.floor(most)
            is_empty = first > last
        else:
            is_empty = least > most or (least == most and (low, high) != ("minimum", "maximum"))
        if is_empty:
            yield f"{low} above {high}"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _lacks_characters(pattern: object) -> bool:
    r"""Whether ``pattern`` needs a character of a class such as ``[^\s\S]``, which holds none."""
    if not isinstance(pattern, str):
        return False
    parts = _SPELLED.findall(pattern)
    holds = any(
        one.startswith("[^") and any(all_ <= set(re.findall(r"\\.", one)) for all_ in _ALL) for one in parts
    )
    return holds and _MAY_LACK.search("".join(one for one in parts if len(one) == 1)) is None
