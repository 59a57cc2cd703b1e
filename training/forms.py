"""A recipe's rows by their form alone: what can be said of them where no base is there to render them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from training import problems
from training.data import sources, workers
from training.errors import BadRow, BadRows, TrainingError
from training.online import prompts
from training.recipe import (
    CptRecipe,
    DpoRecipe,
    OnlineRecipe,
    PpoRecipe,
    PromptSource,
    Recipe,
    RmRecipe,
    Source,
)

Reader = Callable[[sources.Part], object]


def looks(recipe: Recipe) -> Iterator[tuple[Source | PromptSource, Callable[[], None]]]:
    """All that rows come from, each with a look at its rows that raises what is wrong with them."""
    seed = recipe.seed
    if isinstance(recipe, OnlineRecipe):
        for source in recipe.data.sources:
            yield source, partial(_ask, source, seed)
    else:
        reader: Reader = partial(_read, stage="sft" if recipe.stage == "sft" else "cpt")
        if isinstance(recipe, RmRecipe | DpoRecipe):
            reader = _compare
        yield from _each(recipe.data.sources, reader, seed)
    more: list[Any] = []
    if isinstance(recipe, CptRecipe):
        more += [recipe.replay, recipe.probe]
    if isinstance(recipe, PpoRecipe) and recipe.pretraining:
        more.append(recipe.pretraining.data)
    for plan in more:
        if plan is not None:
            yield from _each(plan.sources, partial(_read, stage="cpt"), seed)


def wrong(given: Sequence[Callable[[], None]]) -> list[TrainingError]:
    """What ``given`` raise, the bad rows of all of them as one."""
    found = problems.collected(*given)
    bad = [row for problem in found if isinstance(problem, BadRows) for row in problem.rows]
    others = [problem for problem in found if not isinstance(problem, BadRows)]
    return [*others, *([BadRows(bad)] if bad else [])]


def _each(given: Sequence[Source], reader: Reader, seed: int) -> Iterator[tuple[Source, Callable[[], None]]]:
    for source in given:
        yield source, partial(_go_through, reader, source, seed)


def _go_through(reader: Reader, source: Source, seed: int) -> None:
    for _ in workers.results(reader, sources.parts(source, seed)):
        pass


def _read(part: sources.Part, stage: Literal["cpt", "sft"]) -> None:
    sources.read(part, stage)


def _compare(part: sources.Part) -> None:
    sources.preferences(part)


def _ask(source: PromptSource, seed: int) -> None:
    bad: list[BadRow] = []
    for where, raw in prompts.rows(source, seed):
        try:
            prompts.parsed(source, where, raw)
        except BadRows as exc:
            bad += exc.rows
    if bad:
        raise BadRows(bad)
