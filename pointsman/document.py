"""Strict YAML documents: a file becomes a frozen pydantic model, or one report of everything wrong in it.

Every configuration of Pointsman (settings, routes, prompts, recipes) is read here, once, at the entry.
Each problem names the file, the line, the field, the value found and what was expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

_FARTHEST = 1e30


class Document(BaseModel):
    """Base of every configuration model: frozen, numbers are finite, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _held_by_float32(cls, value: Any) -> Any:
        if isinstance(value, float) and abs(value) > _FARTHEST:
            raise ValueError(f"must be within ±{_FARTHEST:g}, which arithmetic in float32 can hold")
        return value


_LARGEST = 2**53
_MOST_PLACES = 1_000_000  # of a document, each alias counted as all that it stands for


class CrossFieldError(ValueError):
    """Several things wrong across the fields of a model; each may begin with the key it is about and ': '."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


D = TypeVar("D", bound=BaseModel)
Location = tuple[str | int, ...]

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


class DocumentError(ValueError):
    """A document that can't be used. ``problems`` holds all of them, in the order of the file."""

    def __init__(self, path: Path | str, problems: list[Problem]) -> None:
        self.path = Path(path)
        self.problems = sorted(problems, key=lambda p: p.line or 0)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"{self.path}: {count} problem{'s' if count > 1 else ''}"]
        for problem in self.problems:
            where = f"{self.path}:{problem.line}" if problem.line else str(self.path)
            lines.append(f"  {where}: {problem.field + ': ' if problem.field else ''}{problem.message}")
        return "\n".join(lines)


def problem_lines(error: DocumentError) -> list[str]:
    """Each problem as ``file:line: field: message``; an error that holds others gives theirs, by file."""
    nested = getattr(error, "errors", None)
    if nested:
        return [line for one in nested for line in problem_lines(one)]
    return [
        ": ".join(
            part
            for part in (
                f"{error.path}:{problem.line}" if problem.line else str(error.path),
                problem.field,
                problem.message,
            )
            if part
        )
        for problem in error.problems
    ]


def load(model: type[D], path: Path | str) -> D:
    """Read the YAML file ``path`` as a ``model``.

    Raises:
        DocumentError: the file is missing, is not YAML, repeats a key or does not fit the model.
    """
    return parse(model, read(path), path)


def read(path: Path | str) -> str:
    """The text of ``path`` (UTF-8); a missing, unreadable or undecodable file is a DocumentError."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DocumentError(path, [Problem(None, "", "no such file")]) from None
    except UnicodeDecodeError as exc:
        raise DocumentError(
            path, [Problem(None, "", f"not UTF-8: {exc.reason} at byte {exc.start}")]
        ) from exc
    except OSError as exc:
        raise DocumentError(path, [Problem(None, "", f"can't be read: {exc.strerror}")]) from exc


def parse(model: type[D], text: str, path: Path | str = "<text>") -> D:
    """The same as :func:`load` for text already read; ``path`` names it in errors."""
    lines: dict[Location, int] = {}
    problems: list[Problem] = []
    data = _data(text, path, lines, problems)
    try:
        value = model.model_validate({} if data is None else data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        problems += [problem for error in errors for problem in _problems(model, dict(error), lines)]
        raise DocumentError(path, problems) from exc
    if problems:
        raise DocumentError(path, problems)
    return value


def plain(text: str, path: Path | str = "<text>") -> Any:
    """YAML ``text`` as dicts, lists and scalars, for a look before it is known which model it fits.

    Raises:
        DocumentError: it is not YAML. A key that is given twice is left to :func:`parse`.
    """
    return _data(text, path, {}, [])


def lines_of(text: str) -> dict[Location, int]:
    """The 1-based line of every place in YAML ``text``.

    For checks across fields, which are made after parsing and still want to name the line.

    Raises:
        DocumentError: it is not YAML.
    """
    lines: dict[Location, int] = {}
    _data(text, "<text>", lines, [])
    return lines


def _data(text: str, path: Path | str, lines: dict[Location, int], problems: list[Problem]) -> Any:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None
        if (places := _places(node, {})) > _MOST_PLACES:
            what = f"its aliases stand for {places:,} values, {_MOST_PLACES:,} at most are read"
            raise DocumentError(path, [Problem(None, "", what)])
        return _plain(node, (), lines, problems)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else None
        raise DocumentError(path, [Problem(line, "", f"not YAML: {exc.problem}")]) from exc
    except yaml.YAMLError as exc:  # e.g. control characters; carries no mark
        raise DocumentError(path, [Problem(None, "", f"not YAML: {exc}")]) from exc
    except RecursionError:
        raise DocumentError(path, [Problem(None, "", "not YAML: nested too deep")]) from None


def _places(node: yaml.Node, counted: dict[yaml.Node, int]) -> int:
    """How many values ``node`` holds. An alias is its node once more, so a few lines can hold billions."""
    if node not in counted:
        counted[node] = 1  # where it holds itself; :func:`_plain` finds that
        children = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for child in children for part in (child if isinstance(child, tuple) else (child,)))
        counted[node] = 1 + sum(_places(part, counted) for part in parts)
    return counted[node]


def _plain(node: yaml.Node, at: Location, lines: dict[Location, int], problems: list[Problem]) -> Any:
    """The node as dicts, lists and scalars; fills ``lines`` and reports repeated keys."""
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*at, i), lines, problems) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str | int):
                problems.append(Problem(line, _dotted(at), f"a key must be text, found {key!r}"))
                continue
            if key in result:
                problems.append(Problem(line, _dotted((*at, key)), "the key is given twice"))
            result[key] = _plain(value_node, (*at, key), lines, problems)
            lines[(*at, key)] = line
        return result
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node, deep=True)
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError("a whole number beyond 2**53, which no key needs and few programs keep")
        return value
    except ValueError as exc:  # a date or a number that its form promises and its value breaks
        raise yaml.constructor.ConstructorError(None, None, str(exc), node.start_mark) from exc
    finally:
        loader.dispose()


def _problems(model: type[BaseModel], error: dict[str, Any], lines: dict[Location, int]) -> list[Problem]:
    """Those of one of pydantic's errors; of one across fields, each at the key that it names first."""
    problem = _problem(model, error, lines)
    if error["type"] != "value_error" or not isinstance(error.get("input"), dict | BaseModel):
        return [problem]
    cause, parents = error["ctx"]["error"], tuple(error["loc"])
    found = []
    for message in cause.problems if isinstance(cause, CrossFieldError) else (problem.message,):
        key, colon, rest = message.partition(": ")
        parts = tuple(int(part) if part.isdigit() else part for part in key.split("."))
        if colon and parts[0] in _field_names(model, parents):
            place = _known(parents, lines) + parts
            found.append(Problem(lines.get(_known(place, lines)), _dotted(place), rest))
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
    if kind == "extra_forbidden":
        message = "unknown key" + _suggestion(str(location[-1]), _field_names(model, location[:-1]))
    elif kind == "missing":
        message = "is required"
    elif not isinstance(error.get("input"), dict | list | BaseModel):
        message = f"{message}, found {error['input']!r}"
    tagged = known != location[: len(known)]
    absent = location[len(known) :] if not tagged else location[-1:] if kind == "missing" else ()
    absent = tuple(part for part in absent if " " not in str(part))  # tags of unions, such as "a file"
    return Problem(lines.get(known), _dotted(known + absent), message)


def _known(location: Location, lines: dict[Location, int]) -> Location:
    """The longest start of ``location`` that stands in the file, skipping pydantic's union tags."""
    known: Location = ()
    for part in location:
        if (*known, part) in lines:
            known = (*known, part)
    return known


def _field_names(model: type[BaseModel], parents: Location) -> list[str]:
    current: Any = model
    for part in parents:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        current = field.annotation if field else None
        for argument in getattr(current, "__args__", ()):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                current = argument
    return list(getattr(current, "model_fields", {}))


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known keys: {', '.join(known)}" if known else ""


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location)
