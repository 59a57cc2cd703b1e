"""Server tools: typed Python functions that the model may call.

A tool is a function with a docstring and type hints, installed under the entry point group
``pointsman.tools`` by its own name. Its first paragraph is what the model reads about it. A failure is
told to the model as text (``error: ...``); a traceback goes to the log and nowhere else.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic_core import to_jsonable_python

from chains.daemon import in_daemon
from chains.errors import ToolDefinitionError, ToolFailure, ToolNotFound

GROUP = "pointsman.tools"
_ORDER = ("type", "description", "enum", "items", "anyOf", "default")  # of the keys of a property
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model gets to see of one call."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """One function as the model sees it, and how to call it."""

    name: str
    schema: Mapping[str, Any]  # OpenAI's form: {"type": "function", "function": {...}}
    function: Callable[..., Any]
    arguments: type[BaseModel]

    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult:
        """Call the tool with the model's ``arguments``; never raises for what the tool does.

        A synchronous function runs in a thread of its own. One that is over its time is left behind:
        it can't be stopped, its result is dropped.

        Args:
            seconds: wall clock for the call.
            characters: of the result that are kept.
        """
        try:
            async with asyncio.timeout(seconds):
                value = await self._invoke(self._checked(arguments))
            return ToolResult(_cut(result_text(value), characters))
        except TimeoutError:
            return ToolResult(f"error: {self.name} did not answer within {seconds:g} s", failed=True)
        except (ToolFailure, ValueError) as exc:
            return ToolResult(_cut(f"error: {exc}", characters), failed=True)
        except Exception as exc:
            log.exception("tool %s failed", self.name)
            return ToolResult(f"error: {self.name} failed ({type(exc).__name__})", failed=True)

    def _checked(self, arguments: object) -> dict[str, Any]:
        try:
            valid = self.arguments.model_validate(arguments)
        except ValidationError as exc:
            raise ToolFailure(f"wrong arguments for {self.name}: {_summary(exc)}") from exc
        return {
            str(field.alias): getattr(valid, name)
            for name, field in type(valid).model_fields.items()
            if name in valid.model_fields_set
        }

    async def _invoke(self, arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**arguments)
        return await in_daemon(functools.partial(self.function, **arguments), "tool")


def tool_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """``function`` as an OpenAI tool: the same text for the same function, always.

    Raises:
        ToolDefinitionError: no docstring, an argument without a type or not given by name.
    """
    return _schema(function, _arguments(function))


def tool_from(function: Callable[..., Any]) -> Tool:
    """``function`` as a tool; raises as :func:`tool_schema` does."""
    arguments = _arguments(function)
    return Tool(function.__name__, _schema(function, arguments), function, arguments)


@functools.cache
def tool_by_name(name: str) -> Tool:
    """The installed tool ``name``.

    Raises:
        ToolNotFound: no entry point of that name.
        ToolDefinitionError: the function is no tool, or has another name than its entry point.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise ToolNotFound(name, found)
    tool = tool_from(found[name].load())
    if tool.name != name:
        raise ToolDefinitionError(f"the entry point {name!r} holds a function named {tool.name!r}")
    return tool


def result_text(value: object) -> str:
    """A tool's result as the model sees it: JSON in one line; text stays as it is."""
    if isinstance(value, str):
        return value
    return json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False)


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


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return f"{text[:characters]} ... (cut, {len(text)} characters in all)"
