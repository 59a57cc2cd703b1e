"""The client's ``tools`` and its choice among them: vLLM and its chat template stumble over what is amiss."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chains.schemas.disjoint import kinds_of, resolved
from service.body.kinds import OBJECT, SWITCH, TEXT, check_kind
from service.body.known import CHOICE, CHOSEN, FUNCTION, TOOL
from service.body.shown import kind_of, shown
from service.errors import InvalidRequest

TOOL_NAME = re.compile(r"[\w.:/-]{1,128}")  # stands in a prompt and in a grammar; as long as MCP's
_OF_FUNCTION = {"description": TEXT, "strict": SWITCH, "defer_loading": SWITCH}


def check_tools(tools: object) -> None:
    """The client's ``tools``: vLLM and its chat template stumble over what has no name.

    Raises:
        InvalidRequest
    """
    if tools is None:
        return
    if not isinstance(tools, list):
        raise InvalidRequest(f"tools must be a list of tools, found {kind_of(tools)}", "tools")
    names = dict[str, int]()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise InvalidRequest(f"{place} must be an object, found {kind_of(tool)}", place)
        if (named := tool.get("type", "function")) != "function":
            raise InvalidRequest(
                f"{place}.type {shown(named)} is not supported: no tools are built in, give functions "
                "and run them yourself",
                f"{place}.type",
            )
        TOOL.check(tool, place)
        function = tool.get("function")
        if not isinstance(function, dict):
            raise InvalidRequest(
                f"{place}.function must be an object with a name, found {kind_of(function)}",
                f"{place}.function",
            )
        FUNCTION.check(function, f"{place}.function")
        check_kind(f"{place}.defer_loading", tool.get("defer_loading"), SWITCH)
        for name, kind in _OF_FUNCTION.items():
            check_kind(f"{place}.function.{name}", function.get(name), kind)
        _check_parameters(function.get("parameters"), f"{place}.function.parameters")
        if not isinstance(function.get("name"), str):
            raise InvalidRequest(
                f"{place}.function.name must be text, found {kind_of(function.get('name'))}",
                f"{place}.function.name",
            )
        if not TOOL_NAME.fullmatch(function["name"]):
            raise InvalidRequest(
                f"{place}.function.name must be 1 to 128 letters, digits and any of _ - . : /, found "
                f"{function['name'][:150]!r}: write _ in place of others",
                f"{place}.function.name",
            )
        if (first := names.setdefault(function["name"], index)) != index:
            raise InvalidRequest(
                f"{place}.function.name {function['name']!r} is that of tools[{first}] too, and a call says "
                "no more than the name: give each its own",
                f"{place}.function.name",
            )


def with_parameters(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Checked ``tools``. Whose parameters are left out has none, as with OpenAI; vLLM would take any."""
    return [
        tool
        if (function := tool["function"]).get("parameters") is not None
        else {**tool, "function": {**function, "parameters": {"type": "object", "properties": {}}}}
        for tool in map(dict, tools)
    ]


def _check_parameters(schema: object, at: str) -> None:
    """A tool's schema is of objects: a call's arguments are one, by name."""
    check_kind(at, schema, OBJECT)
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidRequest(
            f"{at}.type must be 'object', as a call's arguments are; found {shown(kind)}", f"{at}.type"
        )
    if kind is None and isinstance(schema, dict) and not _may_be_object(schema):
        raise InvalidRequest(f"{at} must let an object pass, as a call's arguments are: say type", at)


def _may_be_object(schema: dict[str, Any]) -> bool:
    """Whether a schema's values, types or ways leave objects, so far as its references are followed."""
    found = resolved(schema, schema)
    if not isinstance(found, dict):
        return found is not False
    ways = next((found[key] for key in ("anyOf", "oneOf") if isinstance(found.get(key), list)), None)
    inner = [found] if not ways else [resolved(way, schema) for way in ways]
    return any(not isinstance(each, dict) or "object" in kinds_of(each, schema) for each in inner)


def check_tool_choice(choice: object, tools: object) -> None:
    """The form of a choice, and that there are tools where one must be called.

    Raises:
        InvalidRequest
    """
    if choice is None or choice in ("none", "auto"):
        return
    if choice != "required":
        _check_named_choice(choice)
    if not tools:
        raise InvalidRequest(
            "tool_choice has a tool called, and no tools are given: give tools, or leave tool_choice out",
            "tool_choice",
        )


def _check_named_choice(choice: object) -> None:
    given = choice if isinstance(choice, dict) else {}
    check_choice_kind(given)
    function = named if isinstance(named := given.get("function"), dict) else {}
    if not isinstance(name := function.get("name"), str) or not name:
        raise InvalidRequest(
            "tool_choice must be 'none', 'auto', 'required' or {'type': 'function', 'function': {'name': …}}"
            f", found {shown(choice)}",
            "tool_choice",
        )
    CHOICE.check(given, "tool_choice")
    CHOSEN.check(function, "tool_choice.function")


def check_choice_kind(choice: Mapping[str, Any]) -> None:
    """Refuse OpenAI's forms of a ``tool_choice`` that are not had here, by their names.

    Raises:
        InvalidRequest
    """
    kind = choice.get("type", "function")
    if kind != "function":
        fix = (
            "send only the tools that may be called, with tool_choice 'auto' or 'required'"
            if kind == "allowed_tools"
            else "no tools are built in, name a function"
        )
        raise InvalidRequest(
            f"tool_choice of the type {shown(kind)} is not supported: {fix}", "tool_choice.type"
        )
