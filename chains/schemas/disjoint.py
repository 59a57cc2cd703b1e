"""Whether no value fits two of a ``oneOf``'s schemas, as far as their types, values and properties show it.

So much is enough for what clients write: kinds of objects that a property tells apart, lists of constants, a
text or null. Where it is not seen here they may be disjoint all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from chains.schemas.references import at

_MOST = 64  # schemas that are compared with each other; of constants any number
_LEVELS = 3  # of properties within properties
_ALL = frozenset({"null", "boolean", "object", "array", "number", "string"})


def are_disjoint(ways: Sequence[Any], root: Mapping[str, Any]) -> bool:
    """Whether at most one of ``ways`` fits any value; ``root`` is what their references name parts of."""
    values = [_values(way, root) for way in ways]
    if all(one is not None for one in values):
        spelled = [json.dumps(value, sort_keys=True) for one in values for value in one or ()]
        return len(spelled) == len(set(spelled))
    if len(ways) > _MOST:
        return False
    return all(_apart(one, other, root, _LEVELS) for one, other in combinations(ways, 2))


def names_in(schema: Mapping[str, Any], key: str) -> set[str]:
    """The texts in the list under ``key``, or the one text; none where there is something else."""
    held = schema.get(key)
    return {each for each in (held if isinstance(held, list) else [held]) if isinstance(each, str)}


def mapping_in(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under ``key``; an empty one where there is none."""
    held = schema.get(key)
    return held if isinstance(held, Mapping) else {}


def kind_of(value: object) -> str:
    """The type of JSON that ``value`` is; a whole number is a number."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def fits_type(value: object, kinds: object) -> bool:
    """Whether ``value`` is of the type, or one of the types, that a schema's ``type`` says."""
    named = kinds if isinstance(kinds, list) else [kinds]
    return kind_of(value) in named or ("integer" in named and _is_whole(value))


def _is_whole(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def _apart(one: Any, other: Any, root: Mapping[str, Any], levels: int) -> bool:
    one, other = resolved(one, root), resolved(other, root)
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    if kinds_of(one, root).isdisjoint(kinds_of(other, root)):
        return True
    left, right = _values(one, root), _values(other, root)
    if left is not None and right is not None:
        return not any(value in right and kind_of(value) in map(kind_of, right) for value in left)
    return kinds_of(one, root) | kinds_of(other, root) == {"object"} and _apart_as_objects(
        one, other, root, levels
    )


def _apart_as_objects(
    one: Mapping[str, Any], other: Mapping[str, Any], root: Mapping[str, Any], levels: int
) -> bool:
    if levels == 0:
        return False
    if _forbids(one, other) or _forbids(other, one):
        return True
    named, others = mapping_in(one, "properties"), mapping_in(other, "properties")
    both = names_in(one, "required") & names_in(other, "required") & named.keys() & others.keys()
    return any(_apart(named[name], others[name], root, levels - 1) for name in both)


def _forbids(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether ``one`` takes no property of a name that ``other`` requires."""
    closed = one.get("additionalProperties") is False and "patternProperties" not in one
    return closed and not names_in(other, "required") <= mapping_in(one, "properties").keys()


def kinds_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> frozenset[str]:
    """The types of values that may fit ``schema``, by its type or the values that it lists."""
    if (values := _values(schema, root)) is not None:
        return frozenset(map(kind_of, values))
    said = names_in(schema, "type") if "type" in schema else _ALL
    return frozenset("number" if kind == "integer" else kind for kind in said)


def _values(schema: Any, root: Mapping[str, Any]) -> list[Any] | None:
    """All that may fit ``schema``, where it lists them."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return None
    if "const" in schema:
        return [schema["const"]]
    return schema["enum"] if isinstance(schema.get("enum"), list) else None


def resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    """What ``schema`` refers to, if it does, through any number of references."""
    seen = set[str]()
    while isinstance(schema, Mapping) and isinstance(reference := schema.get("$ref"), str):
        if reference in seen:
            return {}
        seen.add(reference)
        schema = at(reference, root)
    return schema
