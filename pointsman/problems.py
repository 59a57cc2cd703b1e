"""What is wrong in a document, by its lines: pydantic's errors in words of the document, not of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, Tag

Location = tuple[str | int, ...]  # of a value: the keys and positions that lead to it
_MISSPELT = 0.75  # how alike two values are of which one is the other misspelt; cpu and tpu are two
_SLIP = 2  # letters that a misspelt key has more or less than the one meant; do_train is not train

_EXPECTED = {  # pydantic's kinds of errors whose words are Python's
    **dict.fromkeys(("model_type", "dict_type"), "a mapping, keys with values"),
    "string_type": "text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    "path_type": "a path",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document."""

    line: int | None  # 1-based; None where the file as a whole is meant
    field: str  # dotted path, "" for the whole document
    message: str


class CrossFieldError(ValueError):
    """Several things wrong across the fields of a model; each may begin with the key it is about and ': '."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def explained(model: type[BaseModel], error: dict[str, Any], lines: dict[Location, int]) -> list[Problem]:
    """The problems of one of pydantic's errors; of one across fields, each at the key that it names first."""
    problem = _problem(model, error, lines)
    if error["type"] != "value_error" or not isinstance(error.get("input"), dict | BaseModel):
        return [problem]
    cause, parents = error["ctx"]["error"], tuple(error["loc"])
    found = []
    for message in cause.problems if isinstance(cause, CrossFieldError) else (problem.message,):
        key, colon, rest = message.partition(": ")
        parts = tuple(int(part) if part.isdigit() else part for part in key.split("."))
        if colon and parts[0] in field_names(model, parents):
            place = _known(parents, lines) + parts
            found.append(Problem(lines.get(_known(place, lines)), dotted(place), rest))
        else:
            found.append(Problem(problem.line, problem.field, message))
    return found


def _problem(model: type[BaseModel], error: dict[str, Any], lines: dict[Location, int]) -> Problem:
    location = tuple(part for part in error["loc"])
    known = _known(location, lines)
    kind, said = error["type"], str(error["msg"]).removeprefix("Value error, ")
    message = (
        f"must be {_EXPECTED[kind]}" if kind in _EXPECTED else said.replace("Input should be", "must be")
    )
    reworded = getattr(model, "reworded", None)
    if reworded and (told := reworded(location, kind, error.get("input"))):
        message = told
    elif kind == "extra_forbidden":
        message = "unknown key" + _suggestion(str(location[-1]), field_names(model, location[:-1]))
    elif kind == "missing":
        message = "is required"
    elif not isinstance(error.get("input"), dict | list | BaseModel):
        message = f"{message}, found {error['input']!r}"
        if kind == "literal_error":
            values = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            lower = {value.lower(): value for value in values}
            close = get_close_matches(str(error["input"]).lower(), lower, n=1, cutoff=_MISSPELT)
            message += f"; did you mean {lower[close[0]]!r}?" if close else ""
    tagged = known != location[: len(known)]
    absent = location[len(known) :] if not tagged else location[-1:] if kind == "missing" else ()
    absent = tuple(part for part in absent if " " not in str(part))  # tags of unions, such as "a file"
    return Problem(lines.get(known), dotted(known + absent), message)


def _known(location: Location, lines: dict[Location, int]) -> Location:
    """The longest start of ``location`` that stands in the file, skipping pydantic's union tags."""
    known: Location = ()
    for part in location:
        if (*known, part) in lines:
            known = (*known, part)
    return known


def field_names(model: type[BaseModel], parents: Location) -> list[str]:
    """The keys that may stand in a document of ``model`` below ``parents``."""
    current: Any = model
    for part in parents:
        if isinstance(part, int):
            continue
        fields = getattr(current, "model_fields", {})
        if part in fields:
            current = fields[part].annotation
        models = dict(_models(current))
        current = models.get(part) or models.get(None) or current
    return list(getattr(current, "model_fields", {}))


def _models(annotation: Any, tag: str | None = None) -> Iterator[tuple[str | None, type[BaseModel]]]:
    """The models that a value of ``annotation`` may be of, each with its tag in a union that has tags."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield tag, annotation
    tags = [one.tag for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Tag)]
    for argument in get_args(annotation):
        yield from _models(argument, tags[0] if tags else tag)


def misspelt(name: str, known: Sequence[str]) -> str | None:
    """The one of ``known`` keys that ``name`` is a slip of the pen for."""
    alike = [key for key in known if abs(len(key) - len(name)) <= _SLIP]
    return next(iter(get_close_matches(name, alike, n=1, cutoff=_MISSPELT)), None)


def _suggestion(name: str, known: Sequence[str]) -> str:
    if close := misspelt(name, known):
        return f"; did you mean {close!r}?"
    return f"; known keys: {', '.join(known)}" if known else ""


def dotted(location: Location) -> str:
    """As it is written in a problem: ``data.sources.0.rows``."""
    return ".".join(str(part) for part in location)
