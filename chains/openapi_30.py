"""Schemas of OpenAPI 3.0, which are their own dialect, as JSON Schema: what 3.1 and a model read.

``nullable`` becomes the type null, and the boolean ``exclusiveMinimum`` and ``exclusiveMaximum`` the bound
itself. Beyond 3.0.3, which has ``nullable`` only widen a ``type``, it lets null be sent wherever it stands:
that is what generators mean by it beside ``allOf`` and ``enum``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ONE = ("items", "additionalProperties", "not")
_MANY = ("allOf", "anyOf", "oneOf")
_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))
_ABOUT = ("title", "description")  # stays outside of a choice


def json_schema(schema: Any) -> Any:
    """``schema``, of OpenAPI 3.0 with its references written out, as JSON Schema.

    Raises:
        ValueError: a bound excludes itself and is not there.
    """
    if not isinstance(schema, Mapping):
        return schema  # true or false
    found: dict[str, Any] = {key: _part(key, value) for key, value in schema.items() if key != "nullable"}
    for exclusive, bound in _BOUNDS:
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive):
            if bound not in found:
                raise ValueError(f"{exclusive} is true, and there is no {bound}")
            found[exclusive] = found.pop(bound)
    return _or_null(found) if schema.get("nullable") is True else found


def _part(key: str, value: Any) -> Any:
    if key in _ONE:
        return json_schema(value)
    if key in _MANY and isinstance(value, list):
        return [json_schema(each) for each in value]
    if key == "properties" and isinstance(value, Mapping):
        return {name: json_schema(each) for name, each in value.items()}
    return value


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str) and schema.keys().isdisjoint((*_MANY, "not")):
        enum = schema.get("enum")
        more = {"enum": [*enum, None]} if isinstance(enum, list) and None not in enum else {}
        return {**schema, "type": [schema["type"], "null"], **more}
    about = {key: schema.pop(key) for key in _ABOUT if key in schema}
    return {**about, "anyOf": [schema, {"type": "null"}]} if schema else about
