"""Tools from an OpenAPI file (3.0 or 3.1): each operation is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from chains.http_tool import BODY, HttpTool
from chains.openapi_30 import json_schema
from chains.openapi_parameters import JSON, Parameter, parameter_of
from chains.options import File, headers_in, mapping_in
from chains.schemas.schema import AnswerSchema, SchemaUnusable
from pointsman.document import Document

_METHODS = ("get", "post", "put", "patch", "delete")
_READ = ("3.0", "3.1")
_URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
_DESCRIBED = 1_000  # characters of a description
_OURS = ("accept", "authorization", "content-type")  # headers that OpenAPI leaves to others than parameters


class OpenApiSource(Document):
    """An OpenAPI file of a route, and what of it the model may use."""

    file: File  # YAML or JSON
    url: str | None = Field(default=None, pattern=_URL)  # None: the file's
    operations: tuple[str, ...] | None = None  # by operationId; None: all of them
    headers: File | None = None  # YAML of name: value that every request gets; a key, for instance

    @model_validator(mode="after")
    def _usable(self) -> Self:
        http_tools(self)  # raises what is wrong
        return self


def http_tools(source: OpenApiSource) -> list[HttpTool]:
    """The tools of ``source``.

    Raises:
        ValueError: the file is none, or an operation can't be a tool; says which.
    """
    document, tools = mapping_in(source.file), dict[str, HttpTool]()
    version = str(document.get("openapi"))
    if not version.startswith(_READ):
        raise ValueError(f"{source.file.name} is no OpenAPI {' or '.join(_READ)}: its openapi is {version!r}")
    headers = headers_in(source.headers)
    operations = [(_name(*found), *found) for found in _operations(document)]
    for name, path, method, operation in operations:
        if source.operations is not None and name not in source.operations:
            continue
        place = f"{source.file.name}: {method.upper()} {path}"
        if name in tools:
            raise ValueError(f"{place}: another operation is named {name!r} too")
        try:
            url = f"{(source.url or _server(operation['servers'])).rstrip('/')}{path}"
            schema, parameters = _arguments(operation, document)
            _check_path(path, parameters)
            checked = AnswerSchema(schema)
        except KeyError as exc:
            raise ValueError(f"{place}: a parameter has no {exc.args[0]!r}") from exc
        except (SchemaUnusable, ValueError, AttributeError, TypeError) as exc:
            raise ValueError(f"{place}: {exc}") from exc
        about = str(operation.get("description") or operation.get("summary") or f"{method} {path}")
        function = {"name": name, "description": " ".join(about.split())[:_DESCRIBED], "parameters": schema}
        told = {"type": "function", "function": function}
        tools[name] = HttpTool(name, told, method.upper(), url, parameters, headers, checked)
    if unknown := [name for name in source.operations or () if name not in tools]:
        known = ", ".join(name for name, *_ in operations) or "none"
        raise ValueError(f"{source.file.name} has no operation {unknown[0]!r}; it has: {known}")
    return list(tools.values())


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation, with its parameters and servers, which may be the path's or the file's."""
    paths = document.get("paths")
    for path, item in (paths if isinstance(paths, Mapping) else {}).items():
        for method in _METHODS:
            if isinstance(item, Mapping) and isinstance(operation := item.get(method), Mapping):
                parameters = [*(item.get("parameters") or []), *(operation.get("parameters") or [])]
                servers = operation.get("servers") or item.get("servers") or document.get("servers")
                yield str(path), method, {**operation, "parameters": parameters, "servers": servers}


def _name(path: str, method: str, operation: Mapping[str, Any]) -> str:
    found = operation.get("operationId") or f"{method}{path}"
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(found)).strip("_")[:64]


def _check_path(path: str, parameters: Iterable[Parameter]) -> None:
    """Raises ValueError for a path that is more than one, or has a part that no parameter fills."""
    if not re.fullmatch(r"/[^?#]*", path):
        raise ValueError("a path begins with / and has neither ? nor #")
    inside = {parameter.name for parameter in parameters if parameter.place == "path"}
    if missing := set(re.findall(r"{(.*?)}", path)) - inside:
        raise ValueError(f"the path's {{{min(missing)}}} is no parameter")


def _arguments(
    operation: Mapping[str, Any], document: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Parameter, ...]]:
    """The schema of an operation's arguments, and where those go that are parameters."""
    plain = json_schema if str(document.get("openapi")).startswith("3.0") else dict
    properties, parameters, required = dict[str, Any](), dict[str, Parameter](), list[str]()
    resolved = [_resolved(given, document, ()) for given in operation["parameters"]]
    for given in {
        (each["name"], each["in"]): each for each in resolved
    }.values():  # the operation's own go first
        name, place = given["name"], given["in"]
        if place == "header" and name.lower() in _OURS:
            continue
        if (taken := parameter_of(given, plain)) is None:
            continue
        if name == BODY or name in parameters:
            raise ValueError(f"two arguments would be named {name!r}")
        parameters[name], properties[name] = taken
        if given.get("description"):
            properties[name]["description"] = given["description"]
        if given.get("required") or place == "path":
            required.append(name)
    if body := _resolved(operation.get("requestBody") or {}, document, ()):
        content = body.get("content") or {}
        if JSON in content:
            properties[BODY] = plain(content[JSON].get("schema") or {})
            required += [BODY] if body.get("required") else []
        elif body.get("required"):
            raise ValueError(f"its body is {', '.join(content) or 'of no type'}; only {JSON} is sent")
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return schema, tuple(parameters.values())


def _resolved(value: Any, document: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """``value`` with what it refers to in place of each reference, as a model is to read it.

    Raises:
        ValueError: a reference names nothing in the file, or itself.
    """
    if isinstance(value, list):
        return [_resolved(item, document, inside) for item in value]
    if not isinstance(value, Mapping):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return {key: _resolved(item, document, inside) for key, item in value.items()}
    if reference in inside:
        raise ValueError(f"{reference} refers to itself, which has no end when it is written out")
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not reference.startswith("#/") or found is None:
        raise ValueError(f"{reference!r} names nothing in this file")
    return _resolved(found, document, (*inside, reference))


def _server(servers: object) -> str:
    """The first of ``servers`` that is a whole URL.

    Raises:
        ValueError: none is.
    """
    for server in servers if isinstance(servers, list) else []:
        url = server.get("url") if isinstance(server, Mapping) else None
        if isinstance(url, str) and re.fullmatch(_URL, url) and "{" not in url:
            return url
    raise ValueError("it names no server by a whole http(s) URL: give url")
