"""Questions of the Berkeley Function-Calling Leaderboard and the calls that are right, from a file beside.

A row of answers is ``{"id", "ground_truth": [{tool: {argument: [each value that is right]}}]}``; among the
values of an argument that may be left out stands "".

Values are held beside each other as the leaderboard's own checker does it: texts without case, spaces and the
marks ``,./-_*^``, with one kind of quotation mark. It departs from that in numbers: 4 and 4.0 are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data.formats import bfcl
from training.data.formats.conversations import Row
from training.data.reading import contents, sources
from training.data.row.fields import FieldError, list_at, shown, text_at
from training.data.row.form import Form
from training.errors import BadRow, BadRows
from training.evaluation.calls import Call, Turn, refuse_broken_schemas
from training.recipe import PromptFile

LEFT_OUT = ""
_PASSED_OVER = re.compile(r"[ ,./\-_*^]")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The fields of an object, such as the arguments of a call, each with all values that are right."""

    values: Mapping[str, Sequence[Any]]

    def accepts(self, made: Any) -> bool:
        """Whether the arguments ``made`` are such; numbers may be of either type."""
        if not isinstance(made, dict) or made.keys() - self.values.keys():
            return False
        return all(
            _among(made[name], right) if name in made else LEFT_OUT in right
            for name, right in self.values.items()
        )

    def as_json(self) -> Any:
        """All that is right, as the file has it."""
        return dict(self.values)


def _among(value: Any, right: Sequence[Any]) -> bool:
    return any(_fits(one, value) for one in right if one != LEFT_OUT or value == LEFT_OUT)


def _fits(right: Any, made: Any) -> bool:
    """An object that is ``right``, in a list too, has for each field a list of all that is right."""
    if isinstance(right, dict):
        return AnyOf(right).accepts(made)
    if isinstance(right, bool) or isinstance(made, bool):
        return right is made
    if isinstance(right, list) and isinstance(made, list):
        return len(right) == len(made) and all(map(_fits, right, made))
    if isinstance(right, str) and isinstance(made, str):
        return _folded(right) == _folded(made)
    return bool(right == made)


def _folded(text: str) -> str:
    return _PASSED_OVER.sub("", text).lower().replace("'", '"')


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
        SourceError, BadRows: as :func:`training.data.reading.sources.read`, of both files.
    """
    form = Form(_question, ("id", *bfcl.FORM.required))
    asked = sources.read(sources.Part(source, 0, 0, None), {"bfcl": form}, form)[:rows]
    right: dict[str, tuple[Call, ...]] | None = None
    if answers is not None:
        found = sources.gathered(
            contents.from_file(answers), Form(_answer, ("id", "ground_truth"), lone=True), str(answers)
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
