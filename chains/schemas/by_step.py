"""``multipleOf`` of a JSON schema on numbers as they are written: 19.99 is a multiple of 0.01.

jsonschema divides floats, by which it is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import ValidationError

from chains.schemas.multiples import exact


def multiple_of(_: Any, step: Any, instance: object, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """A number that is no multiple of ``step`` is an error."""
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    number, by = exact(instance), exact(step)
    if number is None or not by or (number / by).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")
