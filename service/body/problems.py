"""pydantic's errors in our words: the field, what it must be, what was found.

For bodies that we validate, and for those that vLLM did, which tells pydantic's errors as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from service.body.shown import kind_of

_CLASS = re.compile(r"[A-Z]\w+")  # a branch of a union, which pydantic puts into the place
_EXPECTED = {  # what a kind of errors says, by the beginning of its name
    "float": "a number",
    "int_parsing_size": "a whole number of 64 bits",
    "int": "a whole number",
    "bool": "true or false",
    "string_too_short": "text that is not blank",  # no body of ours asks for more than one character
    "string": "text",
    "bytes": "base64 text",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
    "dataclass": "an object",
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One of pydantic's errors."""

    kind: str  # its name for it, such as "float_parsing"
    place: Sequence[str]
    found: str  # the value, as it is told
    said: str = ""  # its own message
    context: Mapping[str, Any] = field(default_factory=dict)


def sentences(wrong: Iterable[Wrong]) -> dict[str, str]:
    """A sentence by field: of one that fits none of several forms, all that they expect."""
    errors: dict[tuple[str, ...], list[Wrong]] = {}
    for one in wrong:
        errors.setdefault(tuple(one.place), []).append(one)
    found: dict[str, str] = {}
    fields: set[str] = set()
    for place, same in errors.items():
        if not place:  # of the body as a whole: a rule of the model, in its own words
            found[""] = same[0].said.removeprefix("Value error, ")
        elif (
            place[0] not in fields
        ):  # what else is said of the field is about the other forms that it may have
            fields.add(place[0])
            name, text = _sentence(place, same)
            found[name] = text
    return found


def sentences_on(error: ValidationError, model: type[BaseModel]) -> dict[str, str]:
    """The same of a body that was to be a ``model``."""
    known = ", ".join(model.model_fields)
    wrong = [
        Wrong(
            one["type"],
            [str(part) for part in one["loc"]],
            _shown(one["input"]),
            one["msg"],
            one.get("ctx", {}),
        )
        for one in error.errors(include_url=False)
    ]
    unknown = {one.place[0] for one in wrong if one.kind == "extra_forbidden"}
    told = sentences(wrong)
    return told | {name: f"{name[:80]} is not taken here: the fields are {known}" for name in unknown}


def _sentence(place: Sequence[str], errors: Sequence[Wrong]) -> tuple[str, str]:
    branches = [index for index, part in enumerate(place) if _CLASS.fullmatch(part)]
    name = _path(place[: branches[0]] if branches else place)
    if branches:  # the forms of a message are too many to be told one by one
        return name, f"{name} is not of OpenAI's form"
    if all(error.kind == "missing" for error in errors):
        return name, f"{name} is required"
    if errors[0].kind == "value_error":  # a rule of a model in the body, in its own words
        return name, f"{name}: {errors[0].said.removeprefix('Value error, ')}"
    expected = " or ".join(dict.fromkeys(map(_expected, errors)))
    return name, f"{name} must be {expected}, found {errors[0].found}"


def _path(parts: Iterable[str]) -> str:
    """``tools, 0, function`` as ``tools[0].function``."""
    path = ""
    for part in parts:
        path += f"[{part}]" if part.isdigit() else f".{part}" if path else part
    return path


def _expected(error: Wrong) -> str:
    context = error.context
    if "expected" in context:
        return str(context["expected"])
    if "ge" in context:
        return f"at least {context['ge']}"
    if "le" in context:
        return f"at most {context['le']}"
    if "max_length" in context:
        return f"at most {context['max_length']} long"
    known = next((words for kind, words in _EXPECTED.items() if error.kind.startswith(kind)), None)
    return known or error.said or "another value"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)[:80] if isinstance(value, str | int | float) else kind_of(value)
