"""Whether all that a run begins with is there: base, data, rewards, what it goes on from. All is looked at.

Reads the data as the run will, so every bad row is found; the base's weights are not loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pointsman import artefact
from pointsman.artefact import ArtefactError
from training.cpt import stage
from training.data import reading, sources
from training.data.collection import Report
from training.data.token_pairs import LabelledRows, PairRows
from training.data.token_rows import TokenRows
from training.errors import BaseError, NotReady, TrainingError
from training.methods import choice, lora, parent, under
from training.models import base, precision
from training.online import prompts, rewards
from training.recipe import (
    CptRecipe,
    FileSource,
    LearningRecipe,
    OnlineRecipe,
    PpoRecipe,
    PromptSource,
    RmRecipe,
    SftRecipe,
    Source,
)
from training.recipe.online import PromptFile
from training.run import PARTS
from training.runs import estimate, trackers

LARGEST_RANK = 512  # that vLLM can be started for


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a run that can begin begins with."""

    model: Any  # without weights, those marked that learn
    rows: TokenRows | PairRows | LabelledRows | None  # None: prompts, or the tokenizer is yet to be made
    longest: int | None  # tokens of the longest sequence, or prompt


def look(recipe: LearningRecipe, report: Report) -> Prospects:
    """Look at everything that ``recipe`` names.

    Raises:
        TrainingError: one thing is wrong; NotReady: several are.
    """
    wrong: list[TrainingError] = []
    model = rows = longest = None
    with _kept(wrong):
        trackers.require(recipe.trackers)
    with _kept(wrong):
        _refuse_rank(recipe)
    for reward in recipe.rewards if isinstance(recipe, OnlineRecipe) else ():
        with _kept(wrong):
            rewards.require([reward])
    missing: list[TrainingError] = []
    for source in _sources(recipe):
        with _kept(missing):
            _require(source)
    wrong += missing
    found = len(wrong)
    with _kept(wrong):
        if recipe.base is not None:
            base.load_config(recipe.base)
    has_base = found == len(wrong)
    with _kept(wrong):
        _look_at_adapter(recipe, has_base=has_base)
    if has_base:
        with _kept(wrong):
            model = _outline(recipe)
    if has_base and not missing and recipe.base is not None:
        with _kept(wrong):
            if isinstance(recipe, OnlineRecipe):
                longest = prompts.prepared(recipe.data, base.load_tokenizer(recipe.base), recipe.seed).longest
            else:
                rows = PARTS[recipe.stage][1].prepare(recipe, recipe.base, report).train
                longest = estimate.longest(recipe, rows)
    if len(wrong) > 1:
        raise NotReady(wrong)
    for only in wrong:
        raise only
    return Prospects(model, rows, longest)


@contextmanager
def _kept(wrong: list[TrainingError]) -> Iterator[None]:
    """An error within it is put to ``wrong``."""
    try:
        yield
    except TrainingError as exc:
        wrong.append(exc)


def _refuse_rank(recipe: LearningRecipe) -> None:
    """Of an adapter that is to be served as it is."""
    plan = recipe.lora
    if plan is None or isinstance(recipe, RmRecipe) or (isinstance(recipe, CptRecipe) and not recipe.alias):
        return
    if isinstance(recipe, SftRecipe) and recipe.method not in ("lora", "qlora"):
        return
    ranks = {"lora.rank": plan.rank}
    ranks |= {f"lora.rank_pattern.{name}": rank for name, rank in getattr(plan, "rank_pattern", {}).items()}
    if large := [f"{key} is {rank}" for key, rank in ranks.items() if rank > LARGEST_RANK]:
        raise BaseError(f"{', '.join(large)}: vLLM serves ranks up to {LARGEST_RANK}; take a lower one")


def _sources(recipe: LearningRecipe) -> Iterator[Source | PromptSource]:
    """All that rows come from."""
    more: list[Any] = [recipe.data]
    if isinstance(recipe, CptRecipe):
        more += [recipe.replay, recipe.probe]
    if isinstance(recipe, PpoRecipe) and recipe.pretraining:
        more.append(recipe.pretraining.data)
    return chain.from_iterable(plan.sources for plan in more if plan is not None)


def _require(source: Source | PromptSource) -> None:
    if isinstance(source, FileSource | PromptFile):
        next(reading.from_file(source.path), None)
    else:
        sources.resolve(source.generator)


def _look_at_adapter(recipe: LearningRecipe, *, has_base: bool) -> None:
    """That the adapter to go on from is there, and of this base, where that one is."""
    if isinstance(recipe, CptRecipe | RmRecipe) or recipe.init_adapter is None:
        return
    if has_base:
        parent.origin(recipe)
        return
    try:
        artefact.read_manifest(recipe.init_adapter)
    except ArtefactError as exc:
        raise BaseError(f"init_adapter: {exc}") from exc


def _outline(recipe: LearningRecipe) -> Any:
    """The model without weights, those marked that learn."""
    if isinstance(recipe, SftRecipe):
        return choice.outline(recipe)
    if isinstance(recipe, CptRecipe):
        if recipe.base is not None:
            return stage.learning(recipe, base.load_outline(recipe.base))
        assert recipe.model
        assert recipe.tokenizer
        return base.outline_of(recipe.model, recipe.tokenizer.vocab_size)
    plain = base.load_outline(recipe.base)
    if isinstance(recipe, RmRecipe) and recipe.method == "full":
        return plain
    adapted = lora.add(plain, recipe.lora, recipe.seed)
    return under.hold(adapted, bf16=precision.is_bf16(recipe.train.precision))
