"""``pointsman check RECIPE``: whether a run can begin, what it will need, and how its result is served.

What is looked at, and what is not: :mod:`training.preflight.readiness`. The base's weights are not loaded,
but for a router's encoder, which is small.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from training import problems
from training import recipe as recipes
from training.convert.route import TARGETS, Convertible, Target, gives_base, is_served, route
from training.cpt import releases, stage
from training.cpt.vocabulary import LOOKED_AT
from training.data.preparing import summary
from training.data.preparing.collection import Prepared, Report
from training.errors import ConversionError
from training.methods import inheritance, lora
from training.preflight import readiness
from training.quantize.layers import Shape
from training.recipe import (
    CptRecipe,
    LearningRecipe,
    OnlineRecipe,
    QuantizeRecipe,
    Recipe,
    RmRecipe,
    RouterRecipe,
    SftRecipe,
    Vocabulary,
)
from training.routing import size
from training.routing.size import Size
from training.runs import estimate, folder, trackers
from training.runs.estimate import Estimate, duration

_SIDE = 1024  # of the matrices by which this machine's speed is measured


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a run before it begins."""

    recipe: Recipe
    served: str  # how the result is served, in words
    rows: tuple[str, ...]  # what was read of the data, in words; none where the tokenizer is yet to be made
    needs: Estimate | Shape | Size  # what the run needs, or what it makes of its base
    tokens: int | None  # that the run reads; None where its tokenizer is yet to be made
    steps: int | None
    seconds: float | None  # at the speed of plain products of matrices on this machine's CPU, or GPU
    warning: str | None = None
    begun: str | None = None  # what its run's folder holds of it already

    @property
    def lines(self) -> list[str]:
        """All of it in words."""
        found = [f"served: {self.served}", *self.rows, str(self.needs)]
        if self.tokens is not None and self.seconds is not None:
            found.append(
                f"{self.steps:,} steps over {self.tokens:,} tokens; {duration(self.seconds)} at the least, "
                "at this machine's speed of plain products of matrices"
            )
        found += [said for said in (self.warning, self.begun) if said]
        return found


def check(path: Path, overrides: Sequence[str], report: Report, runs: Path | None = None) -> Outlook:
    """Look at the recipe in ``path`` and at its data; in ``runs``, where they are given, at its run's folder.

    Raises:
        DocumentError: the recipe is wrong.
        TrainingError: its base, its data, its folder or what it goes on from are; NotReady has all that is
            found.
    """
    recipe = recipes.load(path, overrides)
    begun, of_folder = (None, []) if runs is None else problems.tried(_begun, recipe, runs)
    found, wrong = problems.tried(_looked_at, recipe, report)
    problems.refuse([*of_folder, *(one for one in wrong if str(one) not in map(str, of_folder))])
    assert found is not None
    return replace(found, begun=begun)


def _begun(recipe: Recipe, runs: Path) -> str | None:
    return folder.refuse_other(inheritance.settled(recipe), runs)


def _looked_at(recipe: Recipe, report: Report) -> Outlook:
    if isinstance(recipe, QuantizeRecipe):
        shape, rows = readiness.look_at_quantize(recipe, report)
        return Outlook(recipe, served(recipe), _said(recipe, rows), shape, None, None, None)
    if isinstance(recipe, RouterRecipe):
        of_trackers = problems.collected(partial(trackers.require, recipe.trackers))
        tuned, of_size = problems.tried(size.of, recipe)
        problems.refuse([*of_trackers, *of_size])
        assert tuned is not None
        seconds = tuned.operations / _speed()
        return Outlook(recipe, served(recipe), (tuned.rows,), tuned, tuned.tokens, tuned.steps, seconds)
    prospects = readiness.look(recipe, report)
    recipe = prospects.recipe
    needed = estimate.of(prospects.model, recipe, prospects.longest)
    told = () if prospects.prepared is None else _said(recipe, prospects.prepared)
    if isinstance(recipe, CptRecipe) and recipe.vocabulary and not stage.look_for_pieces(recipe, report):
        told = (*told, _unseen(recipe.vocabulary))
    found = Outlook(recipe, served(recipe), told, needed, None, recipe.train.steps, None)
    found = replace(found, warning=estimate.too_long(prospects.model, recipe))
    if (
        isinstance(recipe, OnlineRecipe) or prospects.prepared is None
    ):  # how long answers will be, nobody knows
        return found
    learned = prospects.prepared.train
    at_once = recipe.train.batch_rows * recipe.train.accumulate
    each = learned.tokens / len(learned)  # a row, or a block that is packed of several
    sequences = float(len(learned))
    if recipe.stage == "cpt" or (isinstance(recipe, SftRecipe) and recipe.packing):
        sequences, each = learned.tokens / recipe.data.max_tokens, float(recipe.data.max_tokens)
    steps = recipe.train.steps or math.ceil(math.ceil(sequences / at_once) * recipe.train.epochs)
    if isinstance(
        recipe, CptRecipe
    ):  # of two blocks that follow each other, the texts would not fit into one
        most = recipe.train.steps or math.ceil((2 * sequences + 1) / at_once * recipe.train.epochs) + 1
        releases.refuse_late(recipe, most, at_most=True)
    tokens = round(steps * at_once * each)
    passes = 4 * needed.parameters + 2 * needed.trainable  # forward, back to the inputs, to the weights
    return replace(found, tokens=tokens, steps=steps, seconds=tokens * passes / _speed())


def _said(recipe: LearningRecipe | QuantizeRecipe, prepared: Prepared[Any]) -> tuple[str, ...]:
    found = tuple(summary.lines(recipe, prepared))
    if isinstance(recipe, CptRecipe) and recipe.vocabulary:
        return (summary.uncounted(recipe.vocabulary), *found)
    return found


def _unseen(plan: Vocabulary) -> str:
    return (
        f"vocabulary.min_count: in the first {LOOKED_AT:,} characters no two neighbouring tokens occur "
        f"{plan.min_count} times; the rest is not looked at here, and a run in which none do is refused"
    )


def served(recipe: Recipe) -> str:
    """How the result of ``recipe`` will be served, and what `pointsman convert` makes of it."""
    if isinstance(recipe, QuantizeRecipe):
        where = "16-bit arithmetic" if recipe.bits == 4 else "16-bit arithmetic on a GPU, not on a CPU"
        return f"a base of its own, by the settings' engine.model, in {where}, with its base's adapters on it"
    if isinstance(recipe, RouterRecipe):
        return "as the router's encoder, by the settings' router.encoder"
    if isinstance(recipe, RmRecipe):
        return "not at all: a reward model scores answers for ppo and grpo"
    ways = {to: way for to in TARGETS if (way := _way(recipe, to))}
    if is_served(recipe):
        return f"{_adapter(recipe)}; `pointsman convert --to base`: {ways['base']}"
    if gives_base(recipe):
        way = f"; `pointsman convert --to lora` gives {ways['lora']}" if "lora" in ways else ""
        return f"a base of its own, by the settings' engine.model{way}"
    found = f"not as it is; `pointsman convert --to lora` gives {ways['lora']}"
    return f"{found}, --to base: {ways['base']}" if "base" in ways else found


def _way(recipe: Convertible, to: Target) -> str:
    """How the result becomes ``to``; "" where there is no way."""
    try:
        return route(recipe, to)
    except ConversionError:
        return ""


def _adapter(recipe: Convertible) -> str:
    if recipe.lora is None:
        return "an adapter, as it is"
    return f"an adapter of rank {max(lora.ranks(recipe.lora).values())}, as it is"


def _speed() -> float:
    """Floating-point operations per second of a product of matrices here: the best of three."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    matrix = torch.ones(_SIDE, _SIDE, device=device)
    best = math.inf
    for _ in range(3):
        began = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        best = min(best, time.perf_counter() - began)
    return 2 * _SIDE**3 / best
