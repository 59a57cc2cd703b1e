"""vLLM's errors as ours: the engine is broken, or it refuses this request.

A refusal is told by field, value and what is taken, whatever form vLLM gives it: a sentence with
``(parameter=…)`` at its end, or a dump of pydantic's errors, one Python dict a line.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson

from service.body.places import place_of_part
from service.body.problems import Wrong, sentences
from service.engine.unheld import advice, unheld
from service.engine.unusable_tools import unusable_tool
from service.errors import ContextExceeded, EngineRefused, EngineUnavailable

log = logging.getLogger("pointsman.engine")

_MESSAGE_CHARACTERS = 2_000
_NO_REASON = "the engine gave no reason"
_ENGINE_DEAD = re.compile(r"EngineCore|EngineDead|engine.{0,20}(dead|died|shut)", re.IGNORECASE)
_PARAMETER = re.compile(r"\s*\(parameter=([\w.]+).*\)$", re.DOTALL)
_SUBJECT = re.compile(
    r"`?([a-z]+(?:_[a-z]+)+|n|stop|seed|suffix|prompt|tools)`? (?:must|cannot|can't|is|contain)"
)
_CONTEXT = re.compile(r"This model's maximum context length is (\d+) tokens\. However, your prompt")
_DUMP = re.compile(r"\d+ validation errors?\b")
_NUMBER = re.compile(r"-?\d[\d.e+-]*")
_FORMATS = ("response_format", "structured_outputs")
_FORMAT_WORDS = (
    "the engine stumbles over the format in {}: mend its schema (it may not hold a reference that leads to "
    "itself, a length below 0 or a pattern that can't be read), or leave it out"
)
_TAGS_FAILED = "'triggers'"  # all that vLLM says where the grammar of a call to a tool can't be made
_NO_VALUE = (
    "the parameters of one let no value pass (an empty enum, a minimum above the maximum, false as a "
    "schema), or hold what the engine can't guide"
)
_TOO_LONG = {"input_text", "input_tokens"}  # what vLLM says is wrong where a prompt exceeds the context
_ALSO = {"logprobs": "top_logprobs", "max_tokens": "max_completion_tokens"}  # other names in a request
_CONSTRAINT = re.compile(  # about the grammar that a format becomes
    r"^Grammar error|grammar|^Choice '|xgrammar|[Rr]egex|JSON schema|structural tag|^structured_outputs\."
)
_SCALARS = {"True": "true", "False": "false", "None": "null"}

_PART = "messages[].content[]"  # the field of words about a part of a message; its place is looked up
_WORDS = (  # vLLM's words that name its command line, its code or no field, the field, and ours
    (r"greedy sampling", "n", "{} Set temperature above 0, or ask n times"),
    (r"trust-request-chat-template", "chat_template", "chat_template can't be given with a request"),
    (
        r"got multiple values for (?:keyword )?argument",
        "chat_template_kwargs",
        "chat_template_kwargs holds a name that the engine fills itself: only variables of the chat "
        "template's own are taken, such as enable_thinking",
    ),
    (
        r"^continue_final_message and add_generation_prompt",
        "continue_final_message",
        "continue_final_message: true needs add_generation_prompt: false beside it",
    ),
    (
        r"^thinking_token_budget is set",
        "thinking_token_budget",
        "thinking_token_budget is not supported by this engine: leave it out",
    ),
    (
        r"is not a multimodal model",
        _PART,
        "{place} is an image, sound or video, and this model reads text only",
    ),
    (
        r"prompt cannot be empty|must pass at least one prompt",
        "prompt",
        "the prompt holds no token: give some text, and truncate_prompt_tokens of at least 1 if any",
    ),
    (
        r"^allowed_token_ids is not None and empty",
        "allowed_token_ids",
        "allowed_token_ids must hold at least one token id, found an empty list",
    ),
    (r"^Token id -?\d+ is out of vocabulary", "prompt", "{}"),
    (
        r"one kind of structured outputs constraint but none",
        "response_format",
        "response_format.json_schema.schema is required: the JSON schema that the answer must keep",
    ),
    (
        r"for ValidatorIterator",
        _PART,
        "{place} is a content part of no form that is known: "
        "a part is {{'type': 'text', 'text': …}}, or an image_url or input_audio of OpenAI's form",
    ),
)


def refusal(
    status: int, body: bytes, request: Mapping[str, Any] | None = None, *, strict: bool = False
) -> EngineUnavailable | EngineRefused:
    """What an error of vLLM is; ``strict``: a 500 is about the request unless vLLM says that it is dead.

    Of a ``request`` with a format such a 500 is the format's: vLLM does not look at a schema before it works
    with it.
    """
    message, parameter = _message(body)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        log.error("the engine does not accept our key: %s", message)
        return EngineUnavailable("the engine does not accept the gateway's key")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        context = _CONTEXT.match(message)
        if parameter in _TOO_LONG or context is not None:
            where = "prompt" if "prompt" in (request or {}) else "messages"
            exceeded = ContextExceeded(status, _PARAMETER.sub("", message), where)
            exceeded.limit = int(context[1]) if context is not None else None
            return exceeded
        sent = (request or {}).get("messages") or ()
        return EngineRefused(status, *told(message, parameter, request or {}), sent, advice(message, request))
    if strict and status == HTTPStatus.INTERNAL_SERVER_ERROR and not _ENGINE_DEAD.search(message):
        form = next((name for name in _FORMATS if (request or {}).get(name) is not None), None)
        if form is None:
            tool = unusable_tool((request or {}).get("tools") or ())
            return EngineRefused(HTTPStatus.BAD_REQUEST, *tool) if tool else EngineRefused(status, message)
        log.warning("the engine stumbled over %s: %s", form, message)
        return EngineRefused(HTTPStatus.BAD_REQUEST, _FORMAT_WORDS.format(form), form)
    log.error("the engine answered %d: %s", status, message)
    return EngineUnavailable("the engine failed on this request")


def refusal_in(
    event: bytes, request: Mapping[str, Any] | None = None, *, strict: bool = False
) -> EngineUnavailable | EngineRefused:
    """The error that an error event in the middle of a stream stands for."""
    line = event.split(b"\n", 1)[0].removeprefix(b"data: ")
    try:
        status = int(orjson.loads(line)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    return refusal(status, line, request, strict=strict)


def told(
    message: str, parameter: str | None = None, request: Mapping[str, Any] = MappingProxyType({})
) -> tuple[str, str | None]:
    """vLLM's ``message`` in words for the client, and the field of ``request`` that it is about."""
    for pattern, field, words in _WORDS:
        if re.search(pattern, message):
            place = place_of_part(request.get("messages") or ()) if field == _PART else field
            return words.format(message, place=place), place
    if _DUMP.match(message) and (problems := _problems(message)):
        return "; ".join(problems.values()), next(iter(problems))
    if (named := _PARAMETER.search(message)) is not None:
        message, parameter = message[: named.start()], named[1]
    elif parameter is None and (subject := _SUBJECT.match(message)) is not None:
        parameter = subject[1]
    if parameter is None and _CONSTRAINT.search(message) and (form := _format_of(request)) is not None:
        tool = unusable_tool(request["tools"]) if form == "tools" else None
        reason = _NO_VALUE if _TAGS_FAILED in message else unheld(message, request) or message
        said = f"{form} can't be used: {reason}"
        return tool or (said, form)
    other = _ALSO.get(parameter or "")
    if other is not None and isinstance(request.get(other), int):  # logprobs beside top_logprobs is a switch
        parameter = other
    return message, parameter


def _format_of(request: Mapping[str, Any]) -> str | None:
    """The field that the answer's form comes from, None where no field asks for any."""
    wanted = request.get("structured_outputs")
    if isinstance(wanted, Mapping):
        return f"structured_outputs.{next((name for name, value in wanted.items() if value is not None), '')}"
    return next((name for name in ("response_format", "tools") if request.get(name) is not None), None)


def _problems(dump: str) -> dict[str, str]:
    """A sentence by field."""
    errors = [error for line in dump.splitlines()[1:] if (error := _error(line.strip())) is not None]
    return sentences(
        Wrong(
            str(error["type"]),
            str(error["loc"]).removeprefix("body.").split("."),
            _found(error),
            str(error.get("msg", "")),
            error.get("ctx") or {},
        )
        for error in errors
    )


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
