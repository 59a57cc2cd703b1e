"""The ``discriminator`` beside a ``oneOf``, OpenAPI's: a property whose value tells its schemas apart.

Who reads such an answer needs the property (OpenAPI 3.1, "Discriminator Object"), also where it has a default
and pydantic therefore does not require it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.schemas.references import at, parts


def telling(schema: Mapping[str, Any]) -> str | None:
    """The property that tells the schemas of ``schema``'s ``oneOf`` apart, if one is named."""
    named = schema.get("discriminator")
    name = named.get("propertyName") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) and isinstance(schema.get("oneOf"), list) else None


def requiring(schema: Any, name: str) -> Any:
    """``schema`` with its property ``name`` required; itself where it has none, or no such list."""
    if not isinstance(schema, Mapping) or not isinstance(named := schema.get("properties"), Mapping):
        return schema
    required = schema.get("required", [])
    if name not in named or not isinstance(required, list) or name in required:
        return schema
    return {**schema, "required": [*required, name]}


def with_tags(schema: Any) -> Any:
    """``schema`` whose discriminators are required, in schemas that stand elsewhere in it too."""
    wanted = list(_wanted(schema)) if isinstance(schema, dict) else []
    if not wanted:
        return schema
    named: dict[str, str] = {}  # the property by reference
    here: dict[int, str] = {}  # or by the object's identity, for what stands in its place
    for way, name in wanted:
        if isinstance(way, Mapping) and isinstance(reference := way.get("$ref"), str):
            named[reference] = name
        else:
            here[id(way)] = name
    here |= {id(at(reference, schema)): name for reference, name in named.items()}
    return _with(schema, here)


def _wanted(schema: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    for part in parts(schema):
        if (name := telling(part)) is not None:
            yield from ((way, name) for way in part["oneOf"])


def _with(value: Any, tags: Mapping[int, str]) -> Any:
    if isinstance(value, list):
        return [_with(each, tags) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with(each, tags) for key, each in value.items()}
    return requiring(found, tags[id(value)]) if id(value) in tags else found
