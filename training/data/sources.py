"""From a recipe's sources to rows, in parts that may be read side by side.

A generator's rows are cut into parts of fixed size, each with a seed of its own, so that the rows are the
same however many processes make them.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from training.data import preferences as pairs
from training.data import reading
from training.data.columns import check, hint, renamed
from training.data.fields import FieldError
from training.data.formats import READERS, Row
from training.data.message import SILENT, says_nothing
from training.data.preferences import Preference
from training.errors import BadRow, BadRows, SourceError
from training.recipe import FileSource, GeneratorSource, Source

R = TypeVar("R")
PART_ROWS = 5_000
NO_TURNS = "sft learns what an assistant says, and a text has no turns; give messages, or use stage: cpt"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start`` to ``start + rows`` of a source."""

    source: Source
    seed: int  # the generator's
    start: int
    rows: int | None  # None: all there are, as in a file


def parts(source: Source, seed: int) -> list[Part]:
    """The parts of ``source`` in order; ``seed`` is the recipe's."""
    if isinstance(source, FileSource):
        return [Part(source, 0, 0, None)]
    starts = range(0, source.rows, PART_ROWS)
    return [
        Part(source, _seed(seed, source.label, start), start, min(PART_ROWS, source.rows - start))
        for start in starts
    ]


def read(part: Part, stage: Literal["cpt", "sft"]) -> list[Row]:
    """The rows of ``part``, as ``stage`` can learn from them.

    Raises:
        SourceError: there is no such file or generator, or it gives nothing.
        BadRows: all rows that don't fit their format.
    """
    source = part.source
    form = source.format if isinstance(source, FileSource) else "messages"
    reader = READERS[form]

    def learnable(raw: dict[str, Any]) -> Row:
        row = reader(raw)
        if stage == "sft" and row.text is not None:
            raise FieldError("text", NO_TURNS)
        for i, turn in enumerate(row.messages):
            if turn["role"] == "assistant" and turn.get("weight") != 0 and says_nothing(turn):
                raise FieldError(_turn_at(form, raw, row, i), SILENT)
        return row

    return read_as(part, learnable)


def _turn_at(form: str, raw: dict[str, Any], row: Row, i: int) -> str:
    """The field that turn ``i`` of ``row``, which is ``raw`` in its ``form``, was read from."""
    if form == "messages":
        return f"messages.{i}"
    if form == "sharegpt":
        return f"conversations.{i - len(row.messages) + len(raw['conversations'])}"
    if i < len(row.messages) - 1:
        return "history" if raw.get("history") else "instruction"
    return next((key for key in ("output", "answer") if key in raw), "instances.0.output")


def preferences(part: Part) -> list[Preference]:
    """The rows of ``part`` as preferences; raises as :func:`read` does."""
    source = part.source
    return read_as(part, pairs.READERS[source.format] if isinstance(source, FileSource) else pairs.any_form)


def read_as(part: Part, reader: Callable[[dict[str, Any]], R]) -> list[R]:
    """The rows of ``part``, each by ``reader``, which gives a dataclass with a field ``where``.

    Raises:
        SourceError, BadRows: as :func:`read`.
    """
    source = part.source
    raw_rows = (
        reading.from_file(source.path, source.documents)
        if isinstance(source, FileSource)
        else from_generator(source, part)
    )
    columns, form = (source.columns, source.format) if isinstance(source, FileSource) else ({}, "")
    check(columns, form, source.label)
    rows: list[R] = []
    bad: list[BadRow] = []
    for where, found in raw_rows:
        if isinstance(found, BadRow):
            bad.append(found)
            continue
        try:
            raw = renamed(found, columns, form)
            rows.append(replace(reader(raw), where=where))  # type: ignore[type-var]
        except FieldError as exc:
            bad.append(BadRow(where, exc.field, exc.problem + hint(found, form, exc.field)))
    if bad:
        raise BadRows(bad)
    if not rows:
        raise SourceError(f"{source.label} holds no rows")
    return rows


class Canonical(Protocol):
    """A row of any form."""

    def canonical(self) -> bytes: ...


def digest(rows: Sequence[Canonical]) -> str:
    """Hex SHA-256 over the rows' content."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(row.canonical() + b"\n")
    return whole.hexdigest()


def _seed(seed: int, label: str, start: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {label} {start}".encode()).digest()[:4])


def from_generator(source: GeneratorSource, part: Part) -> Iterator[tuple[str, Any]]:
    """Where each row of the generator's ``part`` stands, and what it holds.

    Raises:
        SourceError: there is no such generator, it refuses its arguments, or it fails.
    """
    generate = resolve(source.generator)
    number = part.start
    try:
        inspect.signature(generate).bind(rows=part.rows, seed=part.seed, **source.arguments)
    except TypeError as exc:
        raise SourceError(f"{source.generator}: does not take these arguments: {exc}") from exc
    try:
        rows = generate(rows=part.rows, seed=part.seed, **source.arguments)
        if not isinstance(rows, Iterable):
            raise SourceError(f"{source.label}: must give rows to go through, gave {type(rows).__name__}")
        for number, row in enumerate(rows, part.start + 1):
            yield f"{source.label} row {number}", row
    except SourceError:
        raise
    except ValueError as exc:  # how a function refuses the value of an argument, here or at its first row
        raise SourceError(f"{source.label}: {exc}") from exc
    except Exception as exc:  # the user's own code, which may raise anything
        where = f" behind row {number}" if number > part.start else ""
        raise SourceError(f"{source.label}: failed{where}: {type(exc).__name__}: {exc}") from exc


def resolve(name: str) -> Callable[..., Any]:
    """The function that an import string, ``package.module:function``, names.

    Raises:
        SourceError: there is none.
    """
    module_name, _, function_name = name.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise SourceError(f"{name}: {module_name!r} is no module's name; it must be package.module:function")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as exc:  # a module runs as it is imported, and may raise anything
        kind = "" if isinstance(exc, ImportError) else f"{type(exc).__name__}: "
        raise SourceError(f"{name}: can't be imported: {kind}{exc}") from exc
    try:
        function = getattr(module, function_name)
    except AttributeError:
        raise SourceError(f"{name}: {module_name} has no {function_name!r}") from None
    if not callable(function):
        raise SourceError(f"{name}: is not a function")
    return function  # type: ignore[no-any-return]
