"""A recipe's rows by their form alone: what can be said of them where no base is there to render them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from training import problems, stages
from training.data.formats import learned
from training.data.reading import sources, workers
from training.errors import BadRows, TrainingError
from training.recipe import (
    CptRecipe,
    LearningRecipe,
    PpoRecipe,
    PromptSource,
    QuantizeRecipe,
    Source,
)

Look = tuple[Source | PromptSource, Callable[[], None]]


def looks(recipe: LearningRecipe | QuantizeRecipe) -> Iterator[Look]:
    """All that rows come from, each with a look at its rows that raises what is wrong with them."""
    yield from _each(recipe.data.sources, stages.rows(recipe).read, recipe.seed)
    more: list[Any] = []
    if isinstance(recipe, CptRecipe):
        more += [recipe.replay, recipe.probe]
    if isinstance(recipe, PpoRecipe) and recipe.pretraining:
        more.append(recipe.pretraining.data)
    for plan in more:
        if plan is not None:
            yield from _each(plan.sources, partial(learned.read, stage="cpt"), recipe.seed)


def wrong(given: Sequence[Callable[[], None]]) -> list[TrainingError]:
    """What ``given`` raise, the bad rows of all of them as one."""
    found = problems.collected(*given)
    bad = [row for problem in found if isinstance(problem, BadRows) for row in problem.rows]
    others = [problem for problem in found if not isinstance(problem, BadRows)]
    return [*others, *([BadRows(bad)] if bad else [])]


def _each(given: Sequence[Source | PromptSource], read: stages.Read, seed: int) -> Iterator[Look]:
    for source in given:
        yield source, partial(_go_through, read, source, seed)


def _go_through(read: stages.Read, source: Source | PromptSource, seed: int) -> None:
    for _ in workers.results(partial(_count, read=read), sources.parts(source, seed)):
        pass


def _count(part: sources.Part, read: stages.Read) -> int:
    return len(read(part))  # the rows themselves need not cross from process to process
