"""The values that a part of a JSON schema lists, held against what stands beside them.

Patterns are not looked at: a client's may take any time, and a schema may hold thousands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jsonschema import FormatChecker

from chains.schemas.disjoint import fits_type
from chains.schemas.formats import CHECKED, format_checker
from chains.schemas.multiples import exact


def against(part: Mapping[str, Any]) -> str | None:
    """By which keyword none of the values that ``part`` lists is left (``const against format``).

    None: some are left, or none are listed.
    """
    found = _listed(part)
    if found is None or not found[1]:
        return None
    keyword, left = found
    for rule, fits in _RULES.items():
        if rule in part:
            left = [value for value in left if fits(part[rule], value)]
        if not left:
            return f"{keyword} against {rule}"
    return None


def agreeing(part: Mapping[str, Any]) -> set[str]:
    """The keywords of ``part`` that all of the values that it lists fit; none where it lists none."""
    found = _listed(part)
    if found is None or {"enum", "const"} <= part.keys():
        return set()
    return {
        rule
        for rule, fits in _RULES.items()
        if rule in part
        and (rule != "format" or (isinstance(part[rule], str) and part[rule] in CHECKED))
        and all(fits(part[rule], value) for value in found[1])
    }


def _listed(part: Mapping[str, Any]) -> tuple[str, list[Any]] | None:
    if "enum" in part:
        return ("enum", part["enum"]) if isinstance(part["enum"], list) else None
    return ("const", [part["const"]]) if "const" in part else None


def _of_lengths(fits: Callable[[int, float], bool]) -> Callable[[Any, Any], bool]:
    def check(bound: Any, value: Any) -> bool:
        number = exact(bound)
        return number is None or not isinstance(value, str) or fits(len(value), float(number))

    return check


def _of_numbers(fits: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(bound: Any, value: Any) -> bool:
        least, number = exact(bound), exact(value)
        return least is None or number is None or fits(number, least)

    return check


@cache
def _formats() -> FormatChecker:
    return format_checker()


def _has_format(name: Any, value: Any) -> bool:
    """Whether ``value`` has a format, if it is known here."""
    return not isinstance(name, str) or name not in CHECKED or _formats().conforms(value, name)


_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda kinds, value: fits_type(value, kinds),
    "minLength": _of_lengths(lambda length, bound: length >= bound),
    "maxLength": _of_lengths(lambda length, bound: length <= bound),
    "format": _has_format,
    "minimum": _of_numbers(lambda number, bound: number >= bound),
    "maximum": _of_numbers(lambda number, bound: number <= bound),
    "exclusiveMinimum": _of_numbers(lambda number, bound: number > bound),
    "exclusiveMaximum": _of_numbers(lambda number, bound: number < bound),
    "multipleOf": _of_numbers(lambda number, step: step <= 0 or (number / step).denominator == 1),
}
