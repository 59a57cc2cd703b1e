"""Whether all that a run begins with is there: base, data, rewards, server, adapter. All is looked at.

Reads the data as the run will, so every bad row is found, with two exceptions: where the base or a source
can't be used, rows are looked at by their form alone; and where a base is made from nothing, so are those of
files, and a generator's not at all. The base's weights are looked through, one at a time, and not loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from training import problems
from training.cpt import stage
from training.data.preparing.collection import Prepared, Report
from training.data.reading import sources
from training.errors import TrainingError
from training.grpo import asking
from training.methods import inheritance, parent, ranks
from training.models import base, weights
from training.online import rewards, suitable
from training.preflight import outline, rows
from training.quantize import layers, process
from training.quantize.layers import Shape
from training.recipe import (
    CptRecipe,
    DpoRecipe,
    GeneratorSource,
    GrpoRecipe,
    LearningRecipe,
    OnlineRecipe,
    PpoRecipe,
    QuantizeRecipe,
    SftRecipe,
)
from training.runs import estimate, trackers
from training.stages import prepared


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a run that can begin begins with."""

    recipe: LearningRecipe  # with what it takes from the adapter that it goes on from
    model: Any  # without weights, those marked that learn
    prepared: Prepared[Any] | None  # the rows, or prompts; None: the tokenizer is yet to be made
    longest: int | None  # tokens of the longest sequence, or prompt


def look(recipe: LearningRecipe, report: Report) -> Prospects:
    """Look at everything that ``recipe`` names.

    Raises:
        TrainingError: one thing is wrong; NotReady: several are.
    """
    inherited, of_adapter = problems.tried(inheritance.inherited, recipe)
    recipe = inheritance.fitted(inherited or recipe)
    of_base, (present, of_sources) = _of_base(recipe), _of_sources(recipe)
    if not of_adapter and not of_base:
        of_adapter = problems.collected(partial(_refuse_other_base, recipe))
    model = found = None
    of_model: list[TrainingError] = []
    if not of_adapter and not of_base:
        model, of_model = problems.tried(outline.of, recipe)
    if recipe.base is None or of_base or of_sources:
        of_rows = rows.wrong(present)
    else:
        found, of_rows = problems.tried(_read, recipe, report)
    if isinstance(recipe, GrpoRecipe) and found is not None:
        of_rows = [*of_rows, *problems.collected(partial(asking.refuse_too_few, recipe, len(found.train)))]
    of_server: list[TrainingError] = []
    if isinstance(recipe, OnlineRecipe):
        of_server = problems.collected(partial(suitable.require, recipe, found))
    wrong = [*_of_settings(recipe), *of_server, *of_sources, *of_base, *of_adapter, *of_model, *of_rows]
    problems.refuse(wrong)
    return Prospects(recipe, model, found, None if found is None else _longest(recipe, found))


def look_at_quantize(recipe: QuantizeRecipe, report: Report) -> tuple[Shape, Prepared[Any]]:
    """The same for what is quantised: what its base becomes, and the rows.

    Raises:
        TrainingError: one thing is wrong; NotReady: several are.
    """
    of_packages = problems.collected(process.refuse_without_packages)
    of_base, (present, of_sources) = _of_base(recipe), _of_sources(recipe)
    shape, of_shape = (None, []) if of_base else problems.tried(layers.shape, recipe)
    found = None
    if of_base or of_sources:
        of_rows = rows.wrong(present)
    else:
        found, of_rows = problems.tried(prepared, recipe, recipe.base, report)
    problems.refuse([*of_packages, *of_sources, *of_base, *of_shape, *of_rows])
    assert shape is not None
    assert found is not None
    return shape, found


def _of_settings(recipe: LearningRecipe) -> list[TrainingError]:
    """What is wrong with what the recipe asks for beside base, adapter and data."""
    asked = recipe.rewards if isinstance(recipe, OnlineRecipe) else ()
    return problems.collected(
        partial(trackers.require, recipe.trackers),
        partial(ranks.refuse_unserved, recipe),
        partial(rewards.require, asked),
    )


def _of_base(recipe: LearningRecipe | QuantizeRecipe) -> list[TrainingError]:
    """What is wrong with the base's files: its settings, else its tokenizer and its weights.

    Of one that is made from nothing, with its chat template.
    """
    if isinstance(recipe, CptRecipe) and recipe.tokenizer is not None:
        return problems.collected(partial(stage.chat_template, recipe.tokenizer))
    if recipe.base is None:
        return []
    if of_config := problems.collected(partial(base.load_config, recipe.base)):
        return of_config
    of_weights = problems.collected(partial(weights.require, recipe.base))
    of_weights = of_weights or problems.collected(partial(base.refuse_other_weights, recipe.base))
    of_weights = of_weights or problems.collected(partial(weights.refuse_not_finite, recipe.base))
    return [*problems.collected(partial(base.load_tokenizer, recipe.base)), *of_weights]


def _of_sources(
    recipe: LearningRecipe | QuantizeRecipe,
) -> tuple[list[Callable[[], None]], list[TrainingError]]:
    """The looks at the rows of those sources that are there, and what is wrong with the others."""
    present: list[Callable[[], None]] = []
    wrong: list[TrainingError] = []
    for source, look_at_rows in rows.looks(recipe):
        missing = problems.collected(partial(sources.require, source))
        wrong += missing
        unread = recipe.base is None and isinstance(
            source, GeneratorSource
        )  # of a corpus that a program writes
        present += [] if missing or unread else [look_at_rows]
    return present, wrong


def _read(recipe: LearningRecipe, report: Report) -> Prepared[Any]:
    """All that is learned from; beside prompts the text, too, that ppo mixes in."""
    assert recipe.base is not None
    found, wrong = problems.tried(prepared, recipe, recipe.base, report)
    if isinstance(recipe, PpoRecipe) and recipe.pretraining:
        from training.ppo import documents

        wrong += problems.collected(
            partial(documents.prepared, recipe.pretraining, recipe.base, recipe.seed, report)
        )
    problems.refuse(wrong)
    assert found is not None
    return found


def _longest(recipe: LearningRecipe, found: Prepared[Any]) -> int:
    """Tokens of the longest sequence, or prompt."""
    return (
        int(found.train.longest)
        if isinstance(recipe, OnlineRecipe)
        else estimate.longest(recipe, found.train)
    )


def _refuse_other_base(recipe: LearningRecipe) -> None:
    """Of the adapter to go on from."""
    if isinstance(recipe, SftRecipe | DpoRecipe | OnlineRecipe) and recipe.init_adapter is not None:
        parent.origin(recipe)
