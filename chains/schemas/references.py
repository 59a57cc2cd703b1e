"""The references of a JSON schema: each must name a part of it, and lead to one that says something.

A reference that leads only to itself ({"$ref": "#"}, or two definitions that name each other) lets pass what
it lets pass, which is no answer; an engine that is guided by it stumbles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_KEYWORDS = ("$ref", "$dynamicRef")
_SHOWN = 80  # characters of a reference


def wrong_reference(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with the first reference in ``schema`` that can't be used; None: all can be.

    Takes time in proportion to the schema; nothing outside of it is looked up.
    """
    targets: dict[str, Any] = {}
    for keyword, reference, found in _looked_up(schema):
        if not found:
            return f"{keyword} {reference[:_SHOWN]!r} names nothing in the schema"
        targets[reference] = found[0]
    circular = targets.keys() - _saying(targets)
    first = next((reference for reference in targets if reference in circular), None)
    return None if first is None else f"the reference {first[:_SHOWN]!r} leads only to itself: say what it is"


def dangling(schema: Mapping[str, Any]) -> set[str]:
    """The references in ``schema`` that name nothing in it."""
    return {reference for _, reference, found in _looked_up(schema) if not found}


def at(reference: str, schema: Mapping[str, Any]) -> Any:
    """What ``reference`` names in ``schema`` by its way from the root (RFC 6901); None: nothing."""
    part: Any = schema
    for written in unquote(reference).split("/")[1:]:
        name = written.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list):
            part = part[int(name)] if name.isdecimal() and int(name) < len(part) else None
        else:
            part = part.get(name) if isinstance(part, Mapping) else None
    return part if reference.startswith("#") else None


def parts(schema: object) -> Iterator[Mapping[str, Any]]:
    """Every object in ``schema``, itself first; what only looks like a keyword is looked at as one."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _looked_up(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Each reference in ``schema``: its keyword, itself, and the one part that it names, if that is there."""
    resolver = Registry().with_resource("", DRAFT202012.create_resource(dict(schema))).resolver()
    for part in parts(schema):
        for keyword in _KEYWORDS:
            reference = part.get(keyword)
            if not isinstance(reference, str):
                continue
            try:
                yield keyword, reference, (resolver.lookup(reference).contents,)
            except (Unresolvable, ValueError):
                yield keyword, reference, ()


def _saying(targets: Mapping[str, Any]) -> set[str]:
    """The references of ``targets`` that lead to something: the least set that is closed under leading."""
    leading = defaultdict(list)  # to each reference
    for reference, target in targets.items():
        for other in _first(target):
            leading[other].append(reference)
    saying, waiting = set[str](), list(targets)
    while waiting:
        reference = waiting.pop()
        if reference not in saying and _says(targets[reference], saying):
            saying.add(reference)
            waiting += leading[reference]
    return saying


def _says(part: object, saying: set[str]) -> bool:
    """Whether ``part`` says something, where the references in ``saying`` do."""
    if not isinstance(part, dict):
        return True
    if (reference := _reference(part)) is not None:
        return reference in saying
    if isinstance(every := part.get("allOf"), list):
        return all(_says(each, saying) for each in every)
    ways = part.get("anyOf", part.get("oneOf"))
    return not isinstance(ways, list) or any(_says(each, saying) for each in ways)


def _first(part: object) -> Iterator[str]:
    """The references that ``part`` comes to before it says anything."""
    if not isinstance(part, dict):
        return
    if (reference := _reference(part)) is not None:
        yield reference
    for keyword in ("allOf", "anyOf", "oneOf"):
        for each in part.get(keyword) or () if isinstance(part.get(keyword), list) else ():
            yield from _first(each)


def _reference(part: Mapping[str, Any]) -> str | None:
    found = next((part[keyword] for keyword in _KEYWORDS if keyword in part), None)
    return found if isinstance(found, str) else None
