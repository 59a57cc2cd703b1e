"""``multipleOf`` of numbers between bounds as the list of them: XGrammar holds it without bounds alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chains.schemas.disjoint import names_in

_MOST = 500  # numbers that are listed
_WIDEST = 1_000  # a step that XGrammar holds
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
KEYWORDS = frozenset({"multipleOf", *_BOUNDS})  # that the list stands for


def multiples(part: Mapping[str, Any]) -> list[int] | None:
    """The whole numbers that fit ``part``, ascending; None: they are not listed.

    That is where it says nothing but a whole step and bounds on both sides, or more numbers would fit.
    """
    step: Any = part.get("multipleOf")
    kinds = names_in(part, "type")
    if kinds not in ({"integer"}, {"number"}) or {"enum", "const"} & part.keys():
        return None
    if not _is_whole(step) or step < 1:
        return None
    named = {key: part[key] for key in _BOUNDS if key in part}
    if any(isinstance(bound, bool) or not isinstance(bound, int | float) for bound in named.values()):
        return None
    least = [math.ceil(named["minimum"] / step)] if "minimum" in named else []
    least += [math.floor(named["exclusiveMinimum"] / step) + 1] if "exclusiveMinimum" in named else []
    most = [math.floor(named["maximum"] / step)] if "maximum" in named else []
    most += [math.ceil(named["exclusiveMaximum"] / step) - 1] if "exclusiveMaximum" in named else []
    if not least or not most or not 0 <= min(most) - max(least) < _MOST:
        return None
    return [int(step) * times for times in range(max(least), min(most) + 1)]


def is_held(part: Mapping[str, Any]) -> bool:
    """Whether XGrammar holds the ``multipleOf`` of ``part`` as it is: of whole numbers without bounds."""
    step: Any = part.get("multipleOf")
    whole = names_in(part, "type") == {"integer"} and _is_whole(step)
    return whole and (step == 1 or (1 <= step <= _WIDEST and not KEYWORDS - {"multipleOf"} & part.keys()))


def _is_whole(step: Any) -> bool:
    return (
        isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step) and step % 1 == 0
    )
