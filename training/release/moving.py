"""What a release's recipe has move with the adapter, and the texts that its routing is judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from pointsman.document import Document, read
from pointsman.moves import Example, Moves
from training import problems
from training.data.reading import contents, generators
from training.errors import BadRow, BadRows, SourceError
from training.evaluation.evaluate import Findings
from training.evaluation.measures import Measure, ratio
from training.recipe import GeneratorSource


class Rows(Document):
    """Texts with their intents: a file of ``{"text", "intent"}``, null is out of scope; or a generator."""

    path: Path | None = Field(default=None, description="a .jsonl file")
    generator: str | None = Field(
        default=None, pattern=r"^[\w.]+:\w+$", description="import string, package.module:function"
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="more arguments of the generator")
    rows: int | None = Field(default=None, gt=0, description="the first so many; a generator needs it")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.generator is None):
            raise ValueError("give either path (a file) or generator (a function)")
        if self.path is not None and self.arguments:
            raise ValueError("arguments are for a generator, and this is a file")
        if self.generator is not None and self.rows is None:
            raise ValueError("a generator needs rows: how many it is to give")
        return self

    def read(self, seed: int) -> list[Example]:
        """All of them; ``seed`` is the generator's.

        Raises:
            SourceError: a file or generator that can't be used, or holds no rows.
            BadRows: the rows that don't fit.
        """
        found = problems.each(self._raw(seed), _example)
        if not found:
            raise SourceError(f"{self.path or self.generator} holds no rows")
        return found

    def _raw(self, seed: int) -> Iterator[tuple[str, Any]]:
        if self.path is not None:
            return islice(contents.from_file(self.path), self.rows)
        rows = self.rows or 0
        source = GeneratorSource(generator=str(self.generator), rows=rows, arguments=self.arguments)
        return generators.rows(source, rows, seed)


def _example(row: tuple[str, Any]) -> Example:
    where, raw = row
    if isinstance(raw, BadRow):
        raise BadRows([raw])
    try:
        return Example.model_validate(raw)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        raise BadRows([BadRow(where, ".".join(map(str, problem["loc"])), problem["msg"])]) from exc


class MovesSection(Document):
    """Routes, prompts, examples and costs, in force while the version answers, and gone with it."""

    routes: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="by intent the keys of routes.yaml that change (prompt, chain, sampling, ...), or the "
        "whole of a new route; the release's alias answers them",
    )
    prompts: list[Path] = Field(default_factory=list, description="templates, each a .yaml file")
    examples: Rows | None = Field(default=None, description="that the router learns beside its own")
    wrong_cost: float | None = Field(default=None, description="as in routes.yaml; moves the threshold")
    switch_cost: float | None = Field(default=None, description="as in routes.yaml")

    def read(self, seed: int) -> Moves:
        """All of it, the files' content in it.

        Raises:
            SourceError, BadRows: of the examples.
            DocumentError: a template can't be read.
            ValidationError: it moves nothing, or what can't be moved.
        """
        content = self.model_dump(exclude={"prompts", "examples"})
        prompts = {path.name: read(path) for path in self.prompts}
        examples = () if self.examples is None else self.examples.read(seed)
        return Moves.model_validate({**content, "prompts": prompts, "examples": tuple(examples)})

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        without = self.model_dump(exclude={"prompts", "examples"})
        if self.prompts or self.examples is not None:
            without["prompts"] = {"read later": ""}
        Moves.model_validate(without)
        return self


def with_routing(
    found: Findings,
    rows: Mapping[str, Sequence[Example]],
    route: Callable[[str, Sequence[str]], Sequence[Mapping[str, Any]]],
) -> Findings:
    """``found`` with how the router does on ``rows``, by name, where that version is live."""
    measures, version = dict(found.measures), found.model.rpartition("@")[2]
    for name, asked in rows.items():
        measures |= routed(name, asked, route(version, [row.text for row in asked]))
    return replace(found, measures=measures)


def routed(name: str, rows: Sequence[Example], decided: Sequence[Mapping[str, Any]]) -> dict[str, Measure]:
    """How the router decided ``rows``: right, a wrong route opened, turned away what has one."""
    ones = [1.0] * len(rows)
    pairs = [(row.intent, one["intent"]) for row, one in zip(rows, decided, strict=True)]
    shares = {
        "correct": [wanted == got for wanted, got in pairs],
        "wrong": [got is not None and wanted != got for wanted, got in pairs],
        "turned_away": [got is None and wanted is not None for wanted, got in pairs],
    }
    return {
        f"routing.{name}.{share}": ratio([float(one) for one in found], ones)
        for share, found in shares.items()
    }
