"""``multipleOf`` as a guide can hold it: of numbers of few digits, and of few numbers between bounds.

XGrammar holds it of whole numbers without bounds alone. Rules of digits stand for a step such as 7, 0.01 or
2.5 with bounds, and a list of the numbers for others between bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from chains.schemas.disjoint import names_in

_MOST = 500  # numbers that are listed
_DIGITS = 4  # behind the point
_FARTHEST = 2**63  # of a bound of decimals
_WIDEST = 1_000  # a step that XGrammar holds
_COUNTED = 2**32  # the digits of a step that llguidance holds, as a whole number
_RULES = 300  # of one number; with 150,000 tokens some 0.2 s
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KINDS = frozenset({"integer", "number"})
KEYWORDS = frozenset({"multipleOf", *BOUNDS})  # that the list stands for


@dataclass(frozen=True, slots=True)
class Decimals:
    """The multiples of ``step`` from ``least`` to ``most``, all three counted in the last digit.

    25, 1, None, None: 2.5 and so on; 1, 2, 0, 100: hundredths up to 1.
    """

    step: int
    digits: int  # behind the point, at most
    least: int | None  # a multiple; None: there is no bound
    most: int | None

    @property
    def rests(self) -> int:
        """How many rests what stands before the point may leave, when divided by the step."""
        return self.step // math.gcd(self.step, 10**self.digits)

    @property
    def rules(self) -> int:
        """About how many rules and ways say them: by rest and length, and behind the point by rest."""
        if self.rests == 1:
            return 1
        scale = int(10**self.digits)
        ends = [bound for bound in (self.least, self.most) if bound is not None and abs(bound) > self.step]
        lengths = (len(str(abs(end) // scale)) for end in ends)
        return self.rests * max(1, *lengths, scale // self.step)


def holds_step(part: Mapping[str, Any]) -> bool:
    """Whether the ``multipleOf`` of ``part`` is held, once it is said in XGrammar's words."""
    numbers = of_numbers(part)
    if numbers is None:
        return False
    return decimals(numbers) is not None or multiples(numbers) is not None or is_whole(numbers)


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
    """The numbers that fit ``part``; None: it has no step, or one that is too fine or too odd for rules."""
    step = _step(part)
    if step is None or len(kinds := names_in(part, "type")) != 1 or not kinds <= _KINDS:
        return None
    digits = next((many for many in range(_DIGITS + 1) if 10**many % step.denominator == 0), None)
    if digits is None or (between := _between(part, step)) is None:
        return None
    by = step.numerator * (10**digits // step.denominator)
    least, most = (None if bound is None else bound * by for bound in between)
    if any(abs(bound) > _FARTHEST * 10**digits for bound in (least, most) if bound is not None):
        return None
    found = Decimals(by, digits, least, most)
    is_empty = least is not None and most is not None and least > most
    return None if is_empty or found.rules > _RULES else found


def leaves_no_multiple(part: Mapping[str, Any]) -> bool:
    """Whether no multiple of the step of ``part``, of one kind of numbers, lies between its bounds."""
    step = _step(part)
    between = None if step is None else _between(part, step)
    if between is None:
        return False
    least, most = between
    return least is not None and most is not None and least > most


def is_whole(part: Mapping[str, Any]) -> bool:
    """Whether the numbers of ``part`` are whole and have a step that XGrammar holds: without bounds."""
    step = _step(part)
    if step is None or step.denominator != 1 or not names_in(part, "type") <= _KINDS:
        return False
    return step <= _WIDEST and not KEYWORDS - {"multipleOf"} & part.keys()


def is_countable(step: object) -> bool:
    """Whether llguidance holds ``step``, as it reads one: times ten until it is whole, in 32 bits.

    The product is that of floats, so 0.3333 has 17 digits there.
    """
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step < _COUNTED:
        return False
    scaled = float(step)
    while not scaled.is_integer():
        scaled *= 10
    return scaled < _COUNTED


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
