"""What YAML 1.1 takes for a boolean or a number, and the core schema of YAML 1.2 for something else.

Where a field says what it holds, both come to the same or to an error. Where it holds any value they would
not, and a file that was written for the one must not silently mean another thing by the other.
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

from pointsman.problems import Location

_NUMBERS = ("bool", "int", "float")


def difference(node: yaml.ScalarNode, core: Any) -> str | None:
    """How to write a scalar that is ``core``, and a boolean or another number by YAML 1.1; None: as it is."""
    if node.style is not None or isinstance(core, bool | float) or (old := _in_1_1(node.value)) is None:
        return None
    if isinstance(core, int):
        return None if core == old else f"is {old} by YAML 1.1 and {core} by 1.2; write the number you mean"
    meant = str(old).lower()
    return (
        f"{node.value} is {meant} by YAML 1.1 and a text by 1.2; write {meant}, or '{node.value}' in quotes"
    )


def is_free(model: BaseModel, place: Location) -> bool:
    """Whether ``model`` takes any value at ``place``, so that nothing says which one is meant there."""
    current: Any = model
    for part in place:
        if isinstance(current, BaseModel):
            fields = type(current).model_fields
            name = next((name for name, field in fields.items() if part == (field.alias or name)), None)
            if name is None:
                return False
            if _takes_any(fields[name].annotation):
                return True
            current = getattr(current, name)
        else:
            try:
                current = current[part]
            except (TypeError, KeyError, IndexError):  # a validator has made something else of it
                return False
    return False


def _takes_any(annotation: Any) -> bool:
    return annotation is Any or any(map(_takes_any, getattr(annotation, "__args__", ())))


def _in_1_1(text: str) -> bool | float | None:
    """The boolean or number that plain ``text`` is; None: neither."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    tag = next((tag for tag, pattern in resolvers if pattern.match(text)), "")
    if tag.rpartition(":")[2] not in _NUMBERS:
        return None
    loader = yaml.SafeLoader("")
    try:
        found: bool | float = loader.construct_object(yaml.ScalarNode(tag, text))
    except ValueError:  # such as 0b_, which its pattern takes for a number
        return None
    finally:
        loader.dispose()
    return found
