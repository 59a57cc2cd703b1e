"""Where in a JSON schema other schemas stand; under all other words stands what is no schema.

So a property that is called like a keyword is none, and neither is what an ``enum`` or a ``default`` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")  # schemas by name
HOLDING = (  # one schema, or a list of them
    *("items", "prefixItems", "contains", "additionalItems", "unevaluatedItems"),
    *("additionalProperties", "propertyNames", "unevaluatedProperties"),
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
)


def placed(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every schema in ``schema``, itself first, with its place as a ``$ref`` would name it."""
    waiting: list[tuple[str, Any]] = [("#", schema)]
    while waiting:
        place, part = waiting.pop()
        yield place, part
        if not isinstance(part, Mapping):
            continue
        for key, value in part.items():
            if key in NAMED and isinstance(value, Mapping):
                waiting += [(f"{place}/{key}/{name}", each) for name, each in value.items()]
            elif key in HOLDING and isinstance(value, list):
                waiting += [(f"{place}/{key}/{index}", each) for index, each in enumerate(value)]
            elif key in HOLDING:
                waiting.append((f"{place}/{key}", value))


def rebuilt(schema: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    """``schema``, or a list of them, with each object in it as ``change`` leaves a copy, the inmost first."""
    if isinstance(schema, list):
        return [rebuilt(part, change) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, Mapping):
            found[key] = {name: rebuilt(part, change) for name, part in value.items()}
        else:
            found[key] = rebuilt(value, change) if key in HOLDING else value
    change(found)
    return found
