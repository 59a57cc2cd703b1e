"""An object of which a schema says nothing, in a guide: it comes to its end.

It may hold anything, at any depth, so a small model may go on in it until its tokens end. Here its properties
are bounded in number and length, and how deep they go. What is written fits the schema as it came, too.

The object is a definition that the schema refers to: XGrammar compiles each once, and each of them anew if
they stand in their places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.schemas.subschemas import HOLDING, NAMED

_LEVELS = 3  # of lists and objects within, as in {"order": {"items": [{"count": 1}]}}
_NAME = r'^[^"\\\x00-\x1f]{0,32}$'  # of a property; where 100 characters are allowed, compiling takes 0.1 s
_ABOUT = {"title", "description", "default", "examples", "$schema", "$defs", "definitions"}  # no rules
_JOINS = {"$ref", "anyOf", "oneOf", "allOf", "$id"}
_DEFINED = "pointsman-{}-{}"
_REFERENCE = f"#/$defs/{_DEFINED}"


def closed(schema: Any, properties: int) -> Any:
    """``schema`` whose open objects have ``properties`` at most.

    Where parts of it hold together for one value it stays as it is: llguidance joins no bounded names.
    """
    if _is_joined(schema) or (isinstance(schema, dict) and not isinstance(schema.get("$defs", {}), dict)):
        return schema
    found = _closed(schema)
    if found == schema:
        return schema
    return {**found, "$defs": {**found.get("$defs", {}), **_definitions(properties)}}


def _closed(schema: Any) -> Any:
    """``schema``, or a list of them, whose open objects are references to one that is bounded."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, dict):
            found[key] = {name: _closed(part) for name, part in value.items()}
        else:
            found[key] = _closed(value) if key in HOLDING else value
    if _is_open(schema):
        found = {key: value for key, value in found.items() if key in _ABOUT}
        found["$ref"] = _REFERENCE.format("object", _LEVELS)
    return found


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Whether ``schema`` is one of an object, and says nothing of what the object holds."""
    rules = schema.keys() - _ABOUT - {"additionalProperties"}
    return (
        rules == {"type"}
        and schema["type"] == "object"
        and schema.get("additionalProperties", True) in (True, {})
    )


def _is_joined(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_is_joined, schema))
    if not isinstance(schema, dict):
        return False
    joins, rules = schema.keys() & _JOINS, schema.keys() - _ABOUT
    ways = schema.get("allOf", ())
    alone = not joins or (len(rules) == 1 and isinstance(ways, list | tuple) and len(ways) <= 1)
    return not alone or any(map(_is_joined, schema.values()))


def _definitions(properties: int) -> dict[str, Any]:
    """An object of anything that goes no deeper than the levels, and what it is made of."""
    least = {"$ref": _REFERENCE.format("value", 0)}
    value: dict[str, Any] = {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]}
    found: dict[str, Any] = {}
    for level in range(_LEVELS + 1):
        found[_DEFINED.format("value", level)] = value
        within = {"$ref": _REFERENCE.format("value", level)}
        found[_DEFINED.format("object", level)] = {
            "type": "object",
            "patternProperties": {_NAME: within},
            "additionalProperties": False,
            "maxProperties": properties,
        }
        object_ = {"$ref": _REFERENCE.format("object", level)}
        value = {"anyOf": [least, {"type": "array", "items": within}, object_]}
    return found
