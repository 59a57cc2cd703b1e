"""Keywords of a JSON schema that are there and ask for nothing: zod names what is true of every property.

No value is lost without them, and a compiler that has no such keyword then takes the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.schemas.listed import agreeing
from chains.schemas.subschemas import HOLDING, NAMED

_ANY: tuple[Any, ...] = (True, {})
_ASKS_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "propertyNames": (*_ANY, {"type": "string"}),  # a name is a text
    "uniqueItems": (False,),
    "not": (False,),
    "unevaluatedProperties": _ANY,
    "unevaluatedItems": _ANY,
    "patternProperties": ({},),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "dependencies": ({},),
    "minProperties": (0,),
}


def is_neutral(keyword: str, value: Any) -> bool:
    """Whether every value fits ``keyword`` where it says ``value``."""
    return any(
        isinstance(value, bool) == isinstance(one, bool) and value == one
        for one in _ASKS_NOTHING.get(keyword, ())
    )


def without_neutral(schema: Any) -> Any:
    """``schema``, or a list of them, without such keywords, at any depth.

    Nor do those ask for anything that all values fit which an ``enum`` or a ``const`` beside them lists.
    """
    if isinstance(schema, list):
        return [without_neutral(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    beside = agreeing(schema) - {"type"}
    for key, value in schema.items():
        if is_neutral(key, value) or key in beside:
            continue
        if key in NAMED and isinstance(value, Mapping):
            found[key] = {name: without_neutral(part) for name, part in value.items()}
        else:
            found[key] = without_neutral(value) if key in HOLDING else value
    return found
