"""vLLM's errors as ours: the engine is broken, or it refuses this request.

A refusal is told by field, value and what is taken, whatever form vLLM gives it: a sentence with
``(parameter=…)`` at its end, or a dump of pydantic's errors, one Python dict a line.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson

from service.errors import EngineRefused, EngineUnavailable

log = logging.getLogger("pointsman.engine")

_MESSAGE_CHARACTERS = 2_000
_NO_REASON = "the engine gave no reason"
_ENGINE_DEAD = re.compile(r"EngineCore|EngineDead|engine.{0,20}(dead|died|shut)", re.IGNORECASE)
_PARAMETER = re.compile(r"\s*\(parameter=([\w.]+).*\)$", re.DOTALL)
_SUBJECT = re.compile(
    r"`?([a-z]+(?:_[a-z]+)+|n|stop|seed|suffix|prompt|tools)`? (?:must|cannot|can't|is|contain)"
)
_DUMP = re.compile(r"\d+ validation errors?\b")
_CLASS = re.compile(r"[A-Z]\w+")  # a branch of a union, which pydantic puts into the place

_NUMBER = re.compile(r"-?\d[\d.e+-]*")
_SCALARS = {"True": "true", "False": "false", "None": "null"}

# what a kind of pydantic's errors says, by the beginning of its name
_EXPECTED = {
    "float": "a number",
    "int_parsing_size": "a whole number of 64 bits",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text",
    "bytes": "base64 text",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
    "dataclass": "an object",
}
_WORDS = (  # vLLM's words that name an option of its command line or of its code, and ours
    (r"greedy sampling", "n", "{} Set temperature above 0, or ask n times"),
    (r"trust-request-chat-template", "chat_template", "chat_template can't be given with a request"),
    (
        r"one kind of structured outputs constraint but none",
        "response_format",
        "response_format.json_schema.schema is required: the JSON schema that the answer must keep",
    ),
    (
        r"^Grammar error|grammar specification|^Choice '",
        "response_format",
        "the schema in response_format, structured_outputs or a tool can't be used: {}",
    ),
    (
        r"for ValidatorIterator",
        "messages",
        "messages holds a content part of no form that is known: "
        "a part is {{'type': 'text', 'text': …}}, or an image_url, input_audio or file of OpenAI's form",
    ),
)


def refusal(status: int, body: bytes, *, strict: bool = False) -> EngineUnavailable | EngineRefused:
    """What an error of vLLM is; ``strict``: a 500 is about the request unless vLLM says that it is dead."""
    message, parameter = _message(body)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        log.error("the engine does not accept our key: %s", message)
        return EngineUnavailable("the engine does not accept the gateway's key")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return EngineRefused(status, *told(message, parameter))
    if strict and status == HTTPStatus.INTERNAL_SERVER_ERROR and not _ENGINE_DEAD.search(message):
        return EngineRefused(status, message)
    log.error("the engine answered %d: %s", status, message)
    return EngineUnavailable("the engine failed on this request")


def refusal_in(event: bytes, *, strict: bool = False) -> EngineUnavailable | EngineRefused:
    """The error that an error event in the middle of a stream stands for."""
    line = event.split(b"\n", 1)[0].removeprefix(b"data: ")
    try:
        status = int(orjson.loads(line)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    return refusal(status, line, strict=strict)


def told(message: str, parameter: str | None = None) -> tuple[str, str | None]:
    """vLLM's ``message`` in words for the client, and the field that it is about."""
    for pattern, field, words in _WORDS:
        if re.search(pattern, message):
            return words.format(message), field
    if _DUMP.match(message) and (problems := _problems(message)):
        return "; ".join(problems.values()), next(iter(problems))
    if (named := _PARAMETER.search(message)) is not None:
        return message[: named.start()], named[1]
    if parameter is None and (subject := _SUBJECT.match(message)) is not None:
        parameter = subject[1]
    return message, parameter


def _problems(dump: str) -> dict[str, str]:
    """What is wrong by field: of a field that fits none of several forms, all that they expect."""
    errors: dict[str, list[dict[str, Any]]] = {}
    for line in dump.splitlines()[1:]:
        error = _error(line.strip())
        if error is not None:
            errors.setdefault(str(error["loc"]).removeprefix("body."), []).append(error)
    found: dict[str, str] = {}
    fields: set[str] = set()
    for place, same in errors.items():
        field = place.split(".")[0]
        if field not in fields:  # what else is said of the field is about the other forms that it may have
            fields.add(field)
            name, text = _problem(place, same)
            found[name] = text
    return found


def _problem(place: str, errors: list[dict[str, Any]]) -> tuple[str, str]:
    parts = place.split(".")
    branches = [index for index, part in enumerate(parts) if _CLASS.fullmatch(part)]
    name = _path(parts[: branches[0]] if branches else parts)
    if branches:  # the forms of a message are too many to be told one by one
        return name, f"{name} is not of OpenAI's form"
    if all(error["type"] == "missing" for error in errors):
        return name, f"{name} is required"
    expected = " or ".join(dict.fromkeys(_expected(error) for error in errors))
    return name, f"{name} must be {expected}, found {_found(errors[0])}"


def _path(parts: Iterable[str]) -> str:
    """``tools.0.function`` as ``tools[0].function``."""
    path = ""
    for part in parts:
        path += f"[{part}]" if part.isdigit() else f".{part}" if path else part
    return path


def _expected(error: dict[str, Any]) -> str:
    context = error.get("ctx") or {}
    if "expected" in context:
        return str(context["expected"])
    if "ge" in context:
        return f"at least {context['ge']}"
    if "le" in context:
        return f"at most {context['le']}"
    if "max_length" in context:
        return f"at most {context['max_length']} long"
    known = next((words for kind, words in _EXPECTED.items() if str(error["type"]).startswith(kind)), None)
    return known or str(error.get("msg", "another value"))


def _found(error: dict[str, Any]) -> str:
    """The value; vLLM gives all of them as text, and containers as ``<list of 2 items>``."""
    value = str(error.get("input"))
    container = re.fullmatch(r"<(list|dict) of (\d+) items>", value)
    if container is not None:
        return "an object" if container[1] == "dict" else f"a list of {container[2]}"
    return _SCALARS.get(value) or (value if _NUMBER.fullmatch(value) else repr(value))


def _error(line: str) -> dict[str, Any] | None:
    try:
        error = ast.literal_eval(line)
    except (ValueError, SyntaxError):  # cut off by vLLM
        return None
    return error if isinstance(error, dict) and {"type", "loc"} <= error.keys() else None


def _message(body: bytes) -> tuple[str, str | None]:
    """vLLM's message in one of the forms it uses, without a traceback, and the field that it names."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return _NO_REASON, None
    error = data.get("error", data) if isinstance(data, dict) else data
    text, parameter = error, None
    if isinstance(error, dict):
        text = error.get("message") or error.get("detail") or _NO_REASON
        parameter = error.get("param")
    text = str(text).split("Traceback (most recent call last)", 1)[0].strip()
    return text[:_MESSAGE_CHARACTERS] or _NO_REASON, parameter if isinstance(parameter, str) else None
