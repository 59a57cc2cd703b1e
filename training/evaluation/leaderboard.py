"""Questions of the Berkeley Function-Calling Leaderboard and the calls that are right, from a file beside.

A row of answers is ``{"id", "ground_truth": [{tool: {argument: [each value that is right]}}]}``; among the
values of an argument that may be left out stands "".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data import bfcl, reading, sources
from training.data.fields import FieldError, list_at, shown, text_at
from training.data.form import Form
from training.data.formats import Row
from training.errors import BadRow, BadRows
from training.evaluation.calls import Call, Turn, refuse_broken_schemas
from training.recipe import PromptFile

LEFT_OUT = ""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Arguments of a call, each with all values that are right."""

    values: Mapping[str, Sequence[Any]]

    def accepts(self, made: Any) -> bool:
        """Whether the arguments ``made`` are such; numbers may be of either type."""
        if not isinstance(made, dict) or made.keys() - self.values.keys():
            return False
        return all(
            _among(made[name], right) if name in made else LEFT_OUT in right
            for name, right in self.values.items()
        )


def _among(value: Any, right: Sequence[Any]) -> bool:
    """Objects among what is ``right`` are as a call's arguments, with all that is right for each field."""
    return any(
        AnyOf(one).accepts(value) if isinstance(one, dict) else _same(one, value)
        for one in right
        if one != LEFT_OUT or value == LEFT_OUT
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


@dataclass(frozen=True, slots=True)
class _Question:
    id: str
    row: Row
    where: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    id: str
    calls: tuple[Call, ...]
    where: str = field(default="", compare=False)


def turns(source: PromptFile, answers: Path | None, rows: int) -> list[Turn]:
    """The first ``rows`` questions of ``source``, with what is right; no call is where there are no answers.

    Raises:
        SourceError, BadRows: as :func:`training.data.sources.read`, of both files.
    """
    form = Form(_question, ("id", *bfcl.FORM.required))
    asked = sources.read(sources.Part(source, 0, 0, None), {"bfcl": form}, form)[:rows]
    right: dict[str, tuple[Call, ...]] | None = None
    if answers is not None:
        found = sources.gathered(
            reading.from_file(answers), Form(_answer, ("id", "ground_truth")), str(answers)
        )
        right = {one.id: one.calls for one in found}
    return list(_joined(asked, right, answers))


def _joined(
    asked: Sequence[_Question], right: Mapping[str, tuple[Call, ...]] | None, answers: Path | None
) -> Iterator[Turn]:
    if right is not None and (lost := [one for one in asked if one.id not in right]):
        why = f"there is no answer to it in {answers}; give the answers of this file"
        raise BadRows([BadRow(one.where, "id", f"{one.id!r}: {why}") for one in lost])
    for one in asked:
        wanted = right[one.id] if right is not None else ()
        yield Turn(one.where, one.row.messages, one.row.tools, wanted)


def _question(raw: dict[str, Any]) -> _Question:
    row = bfcl.question(raw)
    refuse_broken_schemas(row.tools, "function")
    return _Question(text_at(raw, "id"), row)


def _answer(raw: dict[str, Any]) -> _Answer:
    calls: list[Call] = []
    for i, one in enumerate(list_at(raw, "ground_truth")):
        if not isinstance(one, dict) or not all(isinstance(values, dict) for values in one.values()):
            raise FieldError(f"ground_truth.{i}", f"must be an object of calls, found {shown(one)}")
        for tool, values in one.items():
            if odd := next((name for name, right in values.items() if not isinstance(right, list)), None):
                raise FieldError(
                    f"ground_truth.{i}.{tool}.{odd}",
                    f"must be a list of the values that are right, found {shown(values[odd])}",
                )
            calls.append((re.sub(r"\W", "_", tool), AnyOf(values)))
    return _Answer(text_at(raw, "id"), tuple(calls))
