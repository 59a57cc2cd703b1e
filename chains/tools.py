"""Server tools: typed Python functions that the model may call.

A tool is a function with a docstring and type hints, installed under the entry point group
``pointsman.tools`` by its own name. Its first paragraph is what the model reads about it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from chains.daemon import in_daemon
from chains.errors import ArgumentsWrong, ToolDefinitionError, ToolNotFound
from chains.tool_call import ToolResult, bounded

GROUP = "pointsman.tools"
_ORDER = ("type", "description", "enum", "items", "anyOf", "default")  # of the keys of a property


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """One function as the model sees it, and how to call it."""

    name: str
    schema: Mapping[str, Any]  # OpenAI's form: {"type": "function", "function": {...}}
    function: Callable[..., Any]
    arguments: type[BaseModel]

    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult:
        """Call the function; see :class:`chains.tool_call.Tool`.

        A synchronous function runs in a thread of its own. One that is over its time is left behind:
        it can't be stopped, its result is dropped.
        """
        return await bounded(self.name, self._invoke(arguments), seconds, characters)

    def _checked(self, arguments: object) -> dict[str, Any]:
        try:
            valid = self.arguments.model_validate(arguments)
        except ValidationError as exc:
            raise ArgumentsWrong(_summary(exc)) from exc
        return {
            str(field.alias): getattr(valid, name)
            for name, field in type(valid).model_fields.items()
            if name in valid.model_fields_set
        }

    async def _invoke(self, arguments: object) -> Any:
        checked = self._checked(arguments)
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**checked)
        return await in_daemon(functools.partial(self.function, **checked), "tool")


def tool_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """``function`` as an OpenAI tool: the same text for the same function, always.

    Raises:
        ToolDefinitionError: no docstring, an argument without a type or not given by name.
    """
    return _schema(function, _arguments(function))


def tool_from(function: Callable[..., Any]) -> FunctionTool:
    """``function`` as a tool; raises as :func:`tool_schema` does."""
    arguments = _arguments(function)
    return FunctionTool(function.__name__, _schema(function, arguments), function, arguments)


@functools.cache
def tool_by_name(name: str) -> FunctionTool:
    """The installed tool ``name``.

    Raises:
        ToolNotFound: no entry point of that name.
        ToolDefinitionError: it can't be imported, is no tool, or has another name than its entry point.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise ToolNotFound(name, found)
    try:
        function = found[name].load()
    except Exception as exc:  # whatever another's package raises while it is imported
        problem = f"{type(exc).__name__}: {exc}"
        raise ToolDefinitionError(
            f"the tool {name!r}, installed as {found[name].value!r}, can't be imported: {problem}"
        ) from exc
    tool = tool_from(function)
    if tool.name != name:
        raise ToolDefinitionError(f"the entry point {name!r} holds a function named {tool.name!r}")
    return tool


def _schema(function: Callable[..., Any], arguments: type[BaseModel]) -> dict[str, Any]:
    described = inspect.getdoc(function) or ""
    description = " ".join(described.split("\n\n")[0].split())
    if not description:
        raise ToolDefinitionError(f"the tool {function.__name__!r} has no docstring")
    full = arguments.model_json_schema(by_alias=True)
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {name: _compact(part) for name, part in full.get("properties", {}).items()},
        "required": full.get("required", []),
    }
    if "$defs" in full:
        parameters["$defs"] = {name: _compact(part) for name, part in full["$defs"].items()}
    return {
        "type": "function",
        "function": {"name": function.__name__, "description": description, "parameters": parameters},
    }


def _arguments(function: Callable[..., Any]) -> type[BaseModel]:
    """A model whose fields are the arguments; fields are numbered so that any argument name will do."""
    name = function.__name__
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as exc:
        raise ToolDefinitionError(f"the types of the tool {name!r} can't be found: {exc}") from exc
    fields: dict[str, Any] = {}
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolDefinitionError(f"the tool {name!r} takes {parameter}; only named arguments will do")
        if parameter.name not in hints:
            raise ToolDefinitionError(f"the argument {parameter.name!r} of the tool {name!r} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[f"field_{index}"] = (hints[parameter.name], Field(default, alias=parameter.name))
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as exc:
        raise ToolDefinitionError(f"an argument of the tool {name!r} has no JSON form: {exc}") from exc


def _compact(schema: Any) -> Any:
    """The schema without titles, keys in a fixed order, a single constant as an ``enum``."""
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if key != "title"}
    if "const" in found:
        found["enum"] = [found.pop("const")]
    keys = [key for key in _ORDER if key in found] + [key for key in found if key not in _ORDER]
    result: dict[str, Any] = {}
    for key in keys:
        value = found[key]
        if key in ("properties", "$defs"):
            result[key] = {name: _compact(part) for name, part in value.items()}
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            result[key] = [_compact(part) for part in value]
        elif key in ("items", "additionalProperties", "not"):
            result[key] = _compact(value)
        else:
            result[key] = value
    return result


def _summary(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{place}: {problem['msg']}" if place else problem["msg"])
    return "; ".join(parts)
