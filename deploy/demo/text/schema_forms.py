"""A tool as libraries write it: the keys of its schema in one order or another, titles, a whole docstring."""

from collections.abc import Mapping
from random import Random
from typing import Any


def varied(rng: Random, schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` as one library or another would send it."""
    draw = rng.random()
    if draw < 0.5:
        return dict(schema)
    if draw < 0.72:  # an object's properties first, its type last
        return _ordered(schema)
    if draw < 0.86:
        return _by_name(schema)
    titled = {
        name: {"title": name.replace("_", " ").title(), **each} for name, each in schema["properties"].items()
    }
    return _by_name({**schema, "properties": titled})


def documented(rng: Random, does: str, says: Mapping[str, str]) -> str:
    """What a tool does with a section about its arguments, as a function's docstring has it.

    Args:
        rng: decides how wide it is indented and whether a section about its result follows.
        does: what it does.
        says: what each parameter is, by its name.
    """
    space = "    " if rng.random() < 0.5 else ""
    lines = [f"{does}\n", f"{space}Args:", *(f"{space}    {name}: {text}" for name, text in says.items())]
    if rng.random() < 0.5:
        lines += ["", f"{space}Returns:", f"{space}    what came out"]
    return "\n".join(lines)


def _ordered(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: each for key, each in schema.items() if key != "type"}, "type": schema["type"]}


def _by_name(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its keys sorted, and those of each property; the properties stay as they are."""
    properties = {name: dict(sorted(each.items())) for name, each in schema["properties"].items()}
    return dict(sorted({**schema, "properties": properties}.items()))
