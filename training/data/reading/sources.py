"""From a recipe's sources to rows, in parts that may be read side by side.

Whatever a stage reads comes by :func:`read`; what a row is in each format, the stage's forms say. A
generator's rows are cut into parts of fixed size, each with a seed of its own, so that the rows are the same
however many processes make them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from training import problems
from training.data.reading import contents, generators
from training.data.row import columns
from training.data.row.fields import FieldError
from training.data.row.form import Form
from training.errors import BadRow, BadRows, SourceError
from training.recipe import FileSource, GeneratorSource, PromptSource, Source

R = TypeVar("R")
PART_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start`` to ``start + rows`` of a source."""

    source: Source | PromptSource
    seed: int  # the generator's
    start: int
    rows: int | None  # None: all there are, as in a file


def parts(source: Source | PromptSource, seed: int) -> list[Part]:
    """The parts of ``source`` in order; ``seed`` is the recipe's."""
    if not isinstance(source, GeneratorSource):
        return [Part(source, 0, 0, None)]
    starts = range(0, source.rows, PART_ROWS)
    return [
        Part(source, _seed(seed, source.label, start), start, min(PART_ROWS, source.rows - start))
        for start in starts
    ]


def require(source: Source | PromptSource) -> None:
    """Make sure that there is such a file or generator, without reading its rows.

    Raises:
        SourceError: there is none.
    """
    if isinstance(source, GeneratorSource):
        generators.resolve(source.generator)
    else:
        next(_opened(Part(source, 0, 0, None)), None)


def read(part: Part, forms: Mapping[str, Form[R]], generated: Form[R]) -> list[R]:
    """The rows of ``part``.

    Args:
        part: what is read.
        forms: how a file's rows are read, by its format; they give dataclasses with a field ``where``.
        generated: how a generator's are.

    Raises:
        SourceError: there is no such file or generator, it gives nothing, or its ``columns`` name no field.
        BadRows: all rows that don't fit their format.
    """
    source = part.source
    of_row = generated if isinstance(source, GeneratorSource) else columns.reader(source, forms)
    return gathered(_opened(part), of_row, source.label)


def gathered(found: Iterable[tuple[str, Any]], read: Callable[[Any], R], label: str) -> list[R]:
    """What ``read`` makes of each of the rows ``found``, which stand in the source ``label``.

    Raises:
        SourceError: there are none.
        BadRows: those that ``read`` raises FieldError of, and those that are no JSON.
    """

    def of_row(one: tuple[str, Any]) -> R:
        where, raw = one
        if isinstance(raw, BadRow):
            raise BadRows([raw])
        try:
            return replace(read(raw), where=where)  # type: ignore[type-var]
        except FieldError as exc:
            raise BadRows([BadRow(where, exc.field, exc.problem)]) from exc

    rows = problems.each(found, of_row)
    if not rows:
        raise SourceError(f"{label} holds no rows")
    return rows


def _opened(part: Part) -> Iterator[tuple[str, Any]]:
    """Where each row of ``part`` stands, and what it holds; raises SourceError as :func:`read`."""
    source = part.source
    if isinstance(source, GeneratorSource):
        return generators.rows(source, part.rows, part.seed, part.start)
    return contents.from_file(source.path, source.documents if isinstance(source, FileSource) else "file")


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
