"""What a client's tool gives back, and what is said of it, key by key: nobody knows which of them matters."""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from deploy.demo.text import pools, tool_values
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message
from deploy.demo.text.tool_values import Value


def result(
    rng: Random,
    phrases: Phrases,
    name: str,
    *,
    value: Callable[[], Value],
    found: Callable[[int], Mapping[str, Value]],
    errors: Sequence[str],
) -> tuple[str, str]:
    """The content of a tool message and the answer to it.

    Args:
        rng: decides what comes back: an error, nothing, a value, a sentence, several objects or one.
        phrases: the rules ``failed``, ``empty``, ``result`` and ``found``.
        name: the tool's.
        value: draws a single value.
        found: draws an object of at most so many keys.
        errors: what the tool says when it fails.
    """
    language, draw = phrases.language, rng.random()
    if draw < 0.12:
        message = pools.pick(rng, errors)
        content = pools.pick(rng, _ERRORS).format(json.dumps(message, ensure_ascii=False), message)
        return content, phrases.plain(rng, "failed", x=message)
    if draw < 0.16:
        return pools.pick(rng, _EMPTY), phrases.plain(rng, "empty")
    if draw < 0.30:
        single = value()
        form = pools.pick(rng, _SINGLE)
        content = form.format(json.dumps(single, ensure_ascii=False), tool_values.written(single))
        as_it_came = form == _PLAIN and not isinstance(single, bool)
        said = content if as_it_came else spoken(single, language)
        return content, phrases.plain(rng, "result", name=name, x=said)
    if draw < 0.44:
        told = rng.random() < 0.6
        sentence = tool_values.told(rng, language, "train") if told else _sentence(rng, language)
        content = sentence if rng.random() < 0.8 else json.dumps({"result": sentence}, ensure_ascii=False)
        return content, phrases.plain(rng, "found", x=sentence)
    if draw < 0.52:
        several = [found(3) for _ in range(1 + int(rng.random() * 3))]
        content = _dumped(rng, {pools.pick(rng, _LISTS): several} if rng.random() < 0.6 else several)
        return content, phrases.plain(rng, "found", x="; ".join(_said(each, language) for each in several))
    one = found(6)
    content = _dumped(rng, {pools.pick(rng, _WRAPPERS): one} if rng.random() < 0.1 else one)
    return content, phrases.plain(rng, "found", x=_said(one, language))


def _sentence(rng: Random, language: Language) -> str:
    return str(tool_values.value(rng, "text", language, "train"))


def calling(number: int, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> Message:
    """The assistant's message that calls each tool with its arguments; ``number``: of calls before it."""
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "type": "function",
                "id": f"call_{number + at}",
                "function": {"name": name, "arguments": dict(arguments)},
            }
            for at, (name, arguments) in enumerate(wanted)
        ],
    }


def spoken_key(key: str) -> str:
    """A key as words: ``wind_speed`` and ``windSpeed`` are ``wind speed``."""
    parted = "".join(f" {mark.lower()}" if mark.isupper() and at else mark for at, mark in enumerate(key))
    return parted.replace("_", " ") if not key.isupper() else key


def spoken(value: Value, language: Language) -> str:
    """A value as an answer says it: as JSON writes it, but true and false in words."""
    if isinstance(value, bool):
        return _BOOL[language][value]
    return str(value)


def _said(found: Mapping[str, Value], language: Language) -> str:
    comma = ", " if language == "en" else "，"
    return comma.join(f"{spoken_key(key)} {spoken(value, language)}" for key, value in found.items())


def _dumped(rng: Random, found: Any) -> str:
    indent = 2 if rng.random() < 0.1 else None
    tight = (",", ":") if indent is None and rng.random() < 0.25 else None
    return json.dumps(found, ensure_ascii=False, indent=indent, separators=tight)


_BOOL: Mapping[Language, tuple[str, str]] = {"en": ("no", "yes"), "zh": ("否", "是")}
_ERRORS = (
    '{{"error": {0}}}',
    '{{"status": "error", "message": {0}}}',
    "error: {1}",
    "Error: {1}",
    '{{"detail": {0}}}',
)
_EMPTY = ("[]", '{"results": []}', '{"items": []}', "null", "")
_PLAIN = "{1}"
_SINGLE = ('{{"result": {0}}}', '{{"value": {0}}}', '{{"answer": {0}}}', _PLAIN, _PLAIN)
_LISTS = ("results", "items", "data", "matches", "entries")
_WRAPPERS = ("result", "data", "response")
