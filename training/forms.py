"""A recipe's rows by their form alone: what can be said of them where no base is there to render them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from training import problems
from training.data import learned, preferences, sources, workers
from training.errors import BadRows, TrainingError
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

Rows = Callable[[sources.Part], Sequence[object]]
Look = tuple[Source | PromptSource, Callable[[], None]]


def looks(recipe: Recipe) -> Iterator[Look]:
    """All that rows come from, each with a look at its rows that raises what is wrong with them."""
    yield from _each(recipe.data.sources, _reader(recipe), recipe.seed)
    more: list[Any] = []
    if isinstance(recipe, CptRecipe):
        more += [recipe.replay, recipe.probe]
    if isinstance(recipe, PpoRecipe) and recipe.pretraining:
        more.append(recipe.pretraining.data)
    for plan in more:
        if plan is not None:
            yield from _each(plan.sources, partial(learned.read, stage="cpt"), recipe.seed)


def _reader(recipe: Recipe) -> Rows:
    if isinstance(recipe, OnlineRecipe):
        return prompts.read
    if isinstance(recipe, RmRecipe | DpoRecipe):
        return preferences.read
    return partial(learned.read, stage="sft" if recipe.stage == "sft" else "cpt")


def wrong(given: Sequence[Callable[[], None]]) -> list[TrainingError]:
    """What ``given`` raise, the bad rows of all of them as one."""
    found = problems.collected(*given)
    bad = [row for problem in found if isinstance(problem, BadRows) for row in problem.rows]
    others = [problem for problem in found if not isinstance(problem, BadRows)]
    return [*others, *([BadRows(bad)] if bad else [])]


def _each(given: Sequence[Source | PromptSource], read: Rows, seed: int) -> Iterator[Look]:
    for source in given:
        yield source, partial(_go_through, read, source, seed)


def _go_through(read: Rows, source: Source | PromptSource, seed: int) -> None:
    for _ in workers.results(partial(_count, read=read), sources.parts(source, seed)):
        pass


def _count(part: sources.Part, read: Rows) -> int:
    return len(read(part))  # the rows themselves need not cross from process to process
