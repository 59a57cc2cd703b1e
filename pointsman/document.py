"""Strict YAML documents: a file becomes a frozen pydantic model, or one report of everything wrong in it.

Every configuration of Pointsman (settings, routes, prompts, recipes) is read here, once, at the entry.
Each problem names the file, the line, the field, the value found and what was expected. YAML is read by the
core schema of version 1.2; a value that version 1.1 reads otherwise, where any value is right, is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from pointsman.core_yaml import MERGE, CoreLoader
from pointsman.problems import Location, Problem, dotted, explained
from pointsman.yaml_versions import difference, is_free

_FARTHEST = 1e30
_LARGEST = 2**53
_NO_MERGE = (
    "<< merges mappings by YAML 1.1, and YAML 1.2 has no such key; write out the keys that it stands for"
)
_MOST_PLACES = 1_000_000  # of a document, each alias counted as all that it stands for

D = TypeVar("D", bound=BaseModel)


class Document(BaseModel):
    """Base of every configuration model: frozen, numbers are finite, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def reworded(cls, place: Location, kind: str, value: Any) -> str | None:
        """What is said of ``value`` at ``place``, by pydantic's ``kind`` of error; None: what always is."""
        return None

    @field_validator("*", mode="after")
    @classmethod
    def _held_by_float32(cls, value: Any) -> Any:
        if isinstance(value, float) and abs(value) > _FARTHEST:
            raise ValueError(f"must be within ±{_FARTHEST:g}, which arithmetic in float32 can hold")
        return value


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


def parse(
    model: type[D], text: str, path: Path | str = "<text>", laid: tuple[Any, set[Location]] | None = None
) -> D:
    """The same as :func:`load` for text already read; ``path`` names it in errors.

    ``laid``: what is read in place of the text's data, which is that data with other values laid over it, and
    the places of those. What the text has there is not looked at, and a problem there has no line.
    """
    lines: dict[Location, int] = {}
    problems: list[Problem] = []
    doubts: dict[Location, Problem] = {}
    data = _data(text, path, lines, problems, doubts)
    if laid is not None:
        data, places = laid
        replaced = {dotted(place) for place in places}
        problems = [one for one in problems if not _is_within(one.field, replaced)]
        doubts = {at: one for at, one in doubts.items() if not _is_within(one.field, replaced)}
        lines = {at: line for at, line in lines.items() if not _is_within(dotted(at), replaced)}
        for place in places:
            lines |= {place[:end]: 0 for end in range(1, len(place)) if place[:end] not in lines}
            lines |= dict.fromkeys(_places_of(data, place), 0)
    try:
        value = model.model_validate({} if data is None else data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        problems += [problem for error in errors for problem in explained(model, dict(error), lines)]
        problems = [one if one.line else Problem(None, one.field, one.message) for one in problems]
        raise DocumentError(path, problems) from exc
    problems += [problem for place, problem in doubts.items() if is_free(value, place)]
    if problems:
        raise DocumentError(path, problems)
    return value


def _is_within(field: str, places: set[str]) -> bool:
    """Whether the dotted ``field`` is one of ``places``, or stands in one."""
    return any(field == place or field.startswith(f"{place}.") for place in places)


def _places_of(data: Any, place: Location) -> Iterator[Location]:
    """``place`` and all places within the value that ``data`` has there."""
    value = data
    for part in place:
        value = value[part]
    yield place
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from _places_of(data, (*place, key))


def plain(text: str, path: Path | str = "<text>") -> Any:
    """YAML ``text`` as dicts, lists and scalars, for a look before it is known which model it fits.

    Raises:
        DocumentError: it is not YAML. A key that is given twice is left to :func:`parse`.
    """
    return _data(text, path, {}, [], {})


def problems_within(model: BaseModel, place: Location, text: str) -> list[Problem]:
    """What :func:`parse` would refuse in YAML ``text`` that is set at ``place`` of ``model`` and fits there.

    Raises:
        DocumentError: it is not YAML.
    """
    problems: list[Problem] = []
    doubts: dict[Location, Problem] = {}
    _data(text, "<text>", {}, problems, doubts)
    problems += [problem for at, problem in doubts.items() if is_free(model, place + at)]
    return [
        Problem(None, dotted((*place, one.field) if one.field else place), one.message) for one in problems
    ]


def lines_of(text: str) -> dict[Location, int]:
    """The 1-based line of every place in YAML ``text``.

    For checks across fields, which are made after parsing and still want to name the line.

    Raises:
        DocumentError: it is not YAML.
    """
    lines: dict[Location, int] = {}
    _data(text, "<text>", lines, [], {})
    return lines


def _data(
    text: str,
    path: Path | str,
    lines: dict[Location, int],
    problems: list[Problem],
    doubts: dict[Location, Problem],
) -> Any:
    try:
        node = yaml.compose(text, Loader=CoreLoader)
        if node is None:
            return None
        if (places := _places(node, {})) > _MOST_PLACES:
            what = f"its aliases stand for {places:,} values, {_MOST_PLACES:,} at most are read"
            raise DocumentError(path, [Problem(None, "", what)])
        return _plain(node, (), lines, problems, doubts)
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


def _plain(
    node: yaml.Node,
    at: Location,
    lines: dict[Location, int],
    problems: list[Problem],
    doubts: dict[Location, Problem],
) -> Any:
    """The node as dicts, lists and scalars; fills ``lines`` and ``doubts`` and reports repeated keys."""
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*at, i), lines, problems, doubts) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node)
            line = key_node.start_mark.line + 1
            if key_node.tag == MERGE:
                problems.append(Problem(line, dotted(at), _NO_MERGE))
                continue
            if not isinstance(key, str | int):
                problems.append(Problem(line, dotted(at), f"a key must be text, found {key!r}"))
                continue
            if key in result:
                problems.append(Problem(line, dotted((*at, key)), "the key is given twice"))
            result[key] = _plain(value_node, (*at, key), lines, problems, doubts)
            lines[(*at, key)] = line
        return result
    value = _scalar(node)
    if isinstance(node, yaml.ScalarNode) and (told := difference(node, value)):
        problem = Problem(lines[at], dotted(at), told)
        if isinstance(value, int):  # two numbers, one of which would be right for any field
            problems.append(problem)
        else:
            doubts[at] = problem
    return value


def _scalar(node: yaml.Node) -> Any:
    loader = CoreLoader("")
    try:
        value = loader.construct_object(node, deep=True)
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError("a whole number beyond 2**53, which no key needs and few programs keep")
        return value
    except (ValueError, KeyError) as exc:  # a number or boolean that a tag promises and that is none
        raise yaml.constructor.ConstructorError(None, None, str(exc), node.start_mark) from exc
    finally:
        loader.dispose()
