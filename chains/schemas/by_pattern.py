"""The keywords of a JSON schema that run patterns of a client's, each in bounded time.

jsonschema runs them without a bound, and so it does for ``unevaluatedProperties``, which is not taken beside
``patternProperties`` therefore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import regex
from jsonschema import ValidationError

_SECONDS = 0.05  # for one pattern on one text
_MOST = 50_000  # names that are held against patterns


def pattern(_: Any, wanted: str, instance: object, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """A text that fits none of it is an error; raises TimeoutError."""
    if isinstance(instance, str) and not _fits(wanted, instance):
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


def pattern_properties(
    validator: Any, named: Mapping[str, Any], instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """The errors of properties whose names fit a pattern; raises TimeoutError."""
    if not isinstance(instance, dict):
        return
    if len(instance) * len(named) > _MOST:
        raise TimeoutError
    for wanted, part in named.items():
        for name, value in instance.items():
            if _fits(wanted, name):
                yield from validator.descend(value, part, path=name, schema_path=wanted)


def additional_properties(
    validator: Any, part: Any, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """The errors of properties that are neither named nor fit a pattern; raises TimeoutError."""
    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    if len(instance) * len(patterns) > _MOST:
        raise TimeoutError
    for name, value in instance.items():
        if name in named or any(_fits(wanted, name) for wanted in patterns):
            continue
        if part is False:
            yield ValidationError(f"Additional properties are not allowed ({name!r} was unexpected)")
        else:
            yield from validator.descend(value, part, path=name)


def _fits(wanted: str, text: str) -> bool:
    return regex.search(wanted, text, timeout=_SECONDS) is not None
