"""``multipleOf`` as a guide can hold it: of whole numbers, of numbers between bounds, of decimals.

XGrammar holds it of whole numbers without bounds alone. Between bounds a list of the numbers stands for it,
and a step like 0.01 or 0.25 leaves so many digits behind the point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from chains.schemas.disjoint import names_in

_MOST = 500  # numbers that are listed
_WIDEST = 1_000  # a step that XGrammar holds
_DIGITS = 4  # behind the point
_FARTHEST = 10**18  # of a bound of decimals
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KINDS = frozenset({"integer", "number"})
KEYWORDS = frozenset({"multipleOf", *BOUNDS})  # that the list stands for


@dataclass(frozen=True, slots=True)
class Decimals:
    """The numbers that are a whole number of parts of 1: ``least`` parts to ``most``, both included."""

    parts: int  # of 1; 100: the step is 0.01
    digits: int  # behind the point, at most
    least: int | None  # None: there is no bound
    most: int | None


def holds_step(part: Mapping[str, Any]) -> bool:
    """Whether the ``multipleOf`` of ``part`` is held, once it is said in XGrammar's words."""
    numbers = of_numbers(part)
    if numbers is None:
        return False
    return is_held(numbers) or multiples(numbers) is not None or decimals(numbers) is not None


def of_numbers(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """``part`` for its numbers, where its ``type`` names one kind of them; null may stand beside it."""
    kinds = names_in(part, "type") & _KINDS
    return {**part, "type": kinds.pop()} if len(kinds) == 1 else None


def multiples(part: Mapping[str, Any]) -> list[int | float] | None:
    """The numbers that fit ``part``, ascending; None: they are not listed.

    That is where it says nothing but a step and bounds on both sides, or more numbers would fit.
    """
    kinds, step = names_in(part, "type"), _step(part)
    if step is None or kinds not in ({"integer"}, {"number"}) or (between := _between(part, step)) is None:
        return None
    least, most = between
    if least is None or most is None or not 0 <= most - least < _MOST:
        return None
    numbers = [step * times for times in range(least, most + 1)]
    return [int(number) if number.denominator == 1 else float(number) for number in numbers] or None


def decimals(part: Mapping[str, Any]) -> Decimals | None:
    """The numbers that fit ``part``; None: no whole number of its steps makes 1, or they are too fine."""
    step = _step(part)
    if step is None or step.numerator != 1 or step == 1 or names_in(part, "type") != {"number"}:
        return None
    digits = next((many for many in range(1, _DIGITS + 1) if 10**many % step.denominator == 0), None)
    if digits is None or (between := _between(part, step)) is None:
        return None
    least, most = between
    far = any(abs(bound) > _FARTHEST for bound in between if bound is not None)
    if far or (least is not None and most is not None and least > most):
        return None
    return Decimals(step.denominator, digits, least, most)


def leaves_no_multiple(part: Mapping[str, Any]) -> bool:
    """Whether no multiple of the step of ``part``, of one kind of numbers, lies between its bounds."""
    step = _step(part)
    between = None if step is None else _between(part, step)
    if between is None:
        return False
    least, most = between
    return least is not None and most is not None and least > most


def is_held(part: Mapping[str, Any]) -> bool:
    """Whether XGrammar holds the ``multipleOf`` of ``part`` as it is: of whole numbers without bounds."""
    step = exact(part.get("multipleOf"))
    whole = names_in(part, "type") == {"integer"} and step is not None and step.denominator == 1
    if not whole or step is None:
        return False
    return step == 1 or (1 <= step <= _WIDEST and not KEYWORDS - {"multipleOf"} & part.keys())


def exact(number: object) -> Fraction | None:
    """``number`` as it is written, so that 0.01 is a hundredth; None: it is none."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return None
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _step(part: Mapping[str, Any]) -> Fraction | None:
    """The step of ``part``; None: it has none, or names its values.

    A whole number is a multiple of p/q in lowest terms where it is one of p.
    """
    step = exact(part.get("multipleOf"))
    if step is None or step <= 0 or {"enum", "const"} & part.keys():
        return None
    return Fraction(step.numerator) if names_in(part, "type") == {"integer"} else step


def _between(part: Mapping[str, Any], step: Fraction) -> tuple[int | None, int | None] | None:
    """The least and the greatest number of steps within the bounds of ``part``; None: one is no number."""
    named = {key: exact(part[key]) for key in BOUNDS if key in part}
    found = {key: bound / step for key, bound in named.items() if bound is not None}
    if len(found) < len(named):
        return None
    least = [math.ceil(found["minimum"])] if "minimum" in found else []
    least += [math.floor(found["exclusiveMinimum"]) + 1] if "exclusiveMinimum" in found else []
    most = [math.floor(found["maximum"])] if "maximum" in found else []
    most += [math.ceil(found["exclusiveMaximum"]) - 1] if "exclusiveMaximum" in found else []
    return max(least, default=None), min(most, default=None)
