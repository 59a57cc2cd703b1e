"""The stages in one table: what runs each, and how it reads its data. A new stage is a line here.

Its recipe is a line of :data:`training.recipe.STAGES`. What is heavy is imported as a run begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from training.cpt import learning as cpt_learning
from training.cpt import stage as cpt_stage
from training.data.formats import learned, preferences
from training.data.preparing.collection import Prepared, Report
from training.data.reading.sources import Part
from training.dpo import learning as dpo_learning
from training.dpo import stage as dpo_stage
from training.online import prompts
from training.quantize import rows as calibration
from training.recipe import GrpoRecipe, LearningRecipe, PpoRecipe, QuantizeRecipe, Recipe, RouterRecipe
from training.rm import learning as rm_learning
from training.rm import stage as rm_stage
from training.runs.folder import RunFolder
from training.sft import learning as sft_learning
from training.sft import stage as sft_stage
from training.trainers import supervised

Run = Callable[[Any, RunFolder, Report], Path]
Read = Callable[[Part], Sequence[object]]
Prepare = Callable[[Any, Path | str, Report], Prepared[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """How a stage reads its data. ``Any`` stands for its own recipe."""

    read: Read  # the rows of a part of a source, by their form alone
    prepare: Prepare  # all of a recipe's as tokens, by the tokenizer in a folder


@dataclass(frozen=True, slots=True)
class Stage:
    """What is asked of a stage."""

    run: Run  # to the artefact's folder
    rows: Rows | None  # None: the router's, which reads them in a way of its own


def _supervised(stage: supervised.Stage, learning: supervised.Learning, read: Read) -> Stage:
    return Stage(partial(supervised.train, stage, learning), Rows(read, learning.prepare))


def _ppo(recipe: PpoRecipe, run: RunFolder, report: Report) -> Path:
    from training.ppo import stage

    return stage.train(recipe, run, report)


def _grpo(recipe: GrpoRecipe, run: RunFolder, report: Report) -> Path:
    from training.grpo import stage

    return stage.train(recipe, run, report)


def _quantize(recipe: QuantizeRecipe, run: RunFolder, report: Report) -> Path:
    from training.quantize import stage

    return stage.train(recipe, run, report)


def _router(recipe: RouterRecipe, run: RunFolder, report: Report) -> Path:
    from training.routing import stage

    return stage.train(recipe, run, report)


def _calibration(recipe: QuantizeRecipe, _: Path | str, report: Report) -> Prepared[Any]:
    return calibration.prepared(recipe, report)


_TEXTS = partial(learned.read, stage="cpt")
_ANSWERS = partial(learned.read, stage="sft")
_PROMPTS = Rows(prompts.read, prompts.prepared)
STAGES: dict[str, Stage] = {
    "cpt": _supervised(cpt_stage, cpt_learning, _TEXTS),
    "sft": _supervised(sft_stage, sft_learning, _ANSWERS),
    "rm": _supervised(rm_stage, rm_learning, preferences.read),
    "dpo": _supervised(dpo_stage, dpo_learning, preferences.read),
    "ppo": Stage(_ppo, _PROMPTS),
    "grpo": Stage(_grpo, _PROMPTS),
    "quantize": Stage(_quantize, Rows(_TEXTS, _calibration)),
    "router": Stage(_router, None),
}


def train(recipe: Recipe, run: RunFolder, report: Report) -> Path:
    """Run the stage of ``recipe`` and return the artefact's folder.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    return STAGES[recipe.stage].run(recipe, run, report)


def rows(recipe: LearningRecipe | QuantizeRecipe) -> Rows:
    """How the stage of ``recipe`` reads its data."""
    found = STAGES[recipe.stage].rows
    assert found is not None
    return found


def prepared(recipe: LearningRecipe | QuantizeRecipe, tokenizer: Path | str, report: Report) -> Prepared[Any]:
    """The rows as tokens, parted into those to learn from and those to evaluate on, as the run has them.

    Args:
        recipe: whose data it is.
        tokenizer: a folder or hub id; the base's, or the one that the run has made.
        report: is told how far it is.

    Raises:
        SourceError, BadRows, NothingToLearn: as the run would.
    """
    return rows(recipe).prepare(recipe, tokenizer, report)
