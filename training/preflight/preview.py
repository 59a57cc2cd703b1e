"""``pointsman data preview``: rows as training sees them, those tokens marked that are trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import recipe as recipes
from training.cpt import mixture, stage
from training.data.formats import learned, preferences
from training.data.formats.pair import Unpaired
from training.data.preparing import encoding, prepare_pairs, summary
from training.data.preparing.collection import Report
from training.data.reading import sources
from training.data.rendering import render, turns
from training.errors import NothingToLearn
from training.methods import inheritance
from training.models import base
from training.online import prompts
from training.quantize import rows as calibration
from training.recipe import (
    CptRecipe,
    DpoRecipe,
    GeneratorSource,
    OnlineRecipe,
    PromptSource,
    QuantizeRecipe,
    Recipe,
    RmRecipe,
    RouterRecipe,
    SftRecipe,
    Source,
)
from training.runs import folder as runfolder
from training.stages import prepared

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEW_ROWS = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring tokens that are all trained on, or all only read."""

    text: str
    trained: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row of a source."""

    source: str
    number: int  # in its source, from 1
    spans: tuple[Span, ...]
    too_long: bool  # longer than max_tokens: cut in cpt and router, dropped elsewhere
    answer: str = ""  # chosen, rejected, good or bad, where the row is a preference; or a text's intent
    dropped: str = ""  # why a run drops it, whatever its length

    @property
    def tokens(self) -> int:
        """The row's length."""
        return sum(span.tokens for span in self.spans)

    @property
    def trained(self) -> int:
        """How many of its tokens are trained on."""
        return sum(span.tokens for span in self.spans if span.trained)


def preview(
    recipe_path: Path, rows: int, *, overrides: Sequence[str] = (), runs: Path = Path("runs")
) -> Iterator[PreviewRow]:
    """The first ``rows`` rows of each source of the recipe.

    Where the recipe makes its own tokenizer and its run has not begun, one is trained on a few rows, so
    that only the cut into tokens differs from the run's.

    Raises:
        DocumentError, SourceError, BadRows, BaseError: as ``training.run.train`` does.
    """
    recipe = inheritance.fitted(recipes.load(recipe_path, overrides))
    if isinstance(recipe, RouterRecipe):
        yield from _intents(recipe, rows)
        return
    tokenizer = _tokenizer(recipe, rows, runs)
    replayed = recipe.replay.sources if isinstance(recipe, CptRecipe) and recipe.replay else []
    for source in [*recipe.data.sources, *replayed]:
        first = sources.parts(source, recipe.seed)[0]
        if isinstance(recipe, OnlineRecipe):
            yield from _prompts(recipe, first, rows, tokenizer)
            continue
        if isinstance(recipe, RmRecipe | DpoRecipe):
            yield from _preferences(recipe, first, rows, tokenizer)
            continue
        stage: learned.Stage = "sft" if isinstance(recipe, SftRecipe) else "cpt"
        for number, row in enumerate(islice(learned.read(first, stage), rows), 1):
            if isinstance(recipe, QuantizeRecipe):
                ids, mask = calibration.tokens(tokenizer, row)
            else:
                ids, mask = render.tokens(tokenizer, row, stage)
            dropped = encoding.EMPTY if encoding.is_empty(row) else ""
            if dropped:
                mask = [0] * len(ids)
            spans, too_long = tuple(_spans(tokenizer, ids, mask)), len(ids) > recipe.data.max_tokens
            yield PreviewRow(source.label, number, spans, too_long, dropped=dropped)


def counted(recipe_path: Path, report: Report, *, overrides: Sequence[str] = ()) -> list[str]:
    """Why how many rows would be dropped, and how many are left, as a run says it.

    All rows of files are read, and of generators, which may write any number, the first part. Where cpt makes
    a tokenizer from nothing, only what is dropped can be said.

    Raises:
        DocumentError, SourceError, BadRows, BaseError: as ``training.run.train`` does.
    """
    recipe = inheritance.fitted(recipes.load(recipe_path, overrides))
    shortened = [
        f"{source.label}: the first {sources.PART_ROWS:,} of its {source.rows:,} rows are counted here"
        for source in _all_sources(recipe)
        if isinstance(source, GeneratorSource) and source.rows > sources.PART_ROWS
    ]
    recipe = _shortened(recipe)
    try:
        if isinstance(recipe, RouterRecipe):
            from training.routing import rows
            from training.routing import stage as routing

            return [*shortened, routing.said(rows.read(recipe))]
        if isinstance(recipe, CptRecipe) and recipe.tokenizer:
            return [*shortened, *summary.dropped(mixture.dropped(recipe, report))]
        base.load_tokenizer(str(recipe.base))  # which says what is wrong with it
        if isinstance(recipe, CptRecipe) and recipe.vocabulary:
            shortened.append(summary.uncounted(recipe.vocabulary))
        return [*shortened, *summary.lines(recipe, prepared(recipe, str(recipe.base), report))]
    except NothingToLearn as exc:
        return [*shortened, f"a run would be refused: {exc}"]


def _all_sources(recipe: Recipe) -> list[Source | PromptSource]:
    """What the rows that are counted come from."""
    more = (recipe.replay, recipe.probe) if isinstance(recipe, CptRecipe) else ()
    return [*recipe.data.sources, *(source for plan in more if plan for source in plan.sources)]


def _shortened(recipe: Recipe) -> Recipe:
    """``recipe`` with the first part of each generator."""
    plans: dict[str, Any] = {"data": recipe.data}
    if isinstance(recipe, CptRecipe):
        plans |= {"replay": recipe.replay, "probe": recipe.probe}
    changes = {
        key: plan.model_copy(update={"sources": [_first_part(source) for source in plan.sources]})
        for key, plan in plans.items()
        if plan
    }
    return recipe.model_copy(update=changes)


def _first_part(source: Source | PromptSource) -> Source | PromptSource:
    """``source``, of a generator the rows that are drawn first, which are the run's too."""
    if not isinstance(source, GeneratorSource):
        return source
    return source.model_copy(update={"rows": min(source.rows, sources.PART_ROWS)})


def _intents(recipe: RouterRecipe, rows: int) -> Iterator[PreviewRow]:
    """Texts, of which every token counts, and their intents."""
    from training.routing import stage as routing
    from training.routing.rows import of_source

    tokenizer = routing.load(recipe).tokenizer
    for source in recipe.data.sources:
        for number, row in enumerate(of_source(source, recipe.seed)[:rows], 1):
            ids = tokenizer(row.text, verbose=False)["input_ids"]
            spans = tuple(_spans(tokenizer, ids, [int(row.intent is not None)] * len(ids)))
            too_long = len(ids) > recipe.data.max_tokens
            yield PreviewRow(source.label, number, spans, too_long, row.intent or "out of scope")


def _prompts(
    recipe: OnlineRecipe, part: sources.Part, rows: int, tokenizer: PreTrainedTokenizerBase
) -> Iterator[PreviewRow]:
    """Prompts up to where the answer begins: no token of theirs is trained on, those of the answers are."""
    for number, row in enumerate(islice(prompts.read(part), rows), 1):
        ids = list(prompts.rendered(tokenizer, row).ids)
        spans = tuple(_spans(tokenizer, ids, [0] * len(ids)))
        yield PreviewRow(part.source.label, number, spans, len(ids) > recipe.data.max_tokens)


def _preferences(
    recipe: Recipe, part: sources.Part, rows: int, tokenizer: PreTrainedTokenizerBase
) -> Iterator[PreviewRow]:
    """Each answer with its prompt, as a row of its own."""
    end = turns.end_of_turn(tokenizer)
    found = (row for row in preferences.read(part) if not isinstance(row, Unpaired))
    for number, row in enumerate(islice(found, rows), 1):
        for answer in prepare_pairs.answers(row):
            ids, asked = prepare_pairs.tokens(tokenizer, row, answer, end)
            spans = _spans(tokenizer, ids, [int(at >= asked) for at in range(len(ids))])
            too_long = len(ids) > recipe.data.max_tokens
            yield PreviewRow(part.source.label, number, tuple(spans), too_long, answer)


def _tokenizer(recipe: Recipe, rows: int, runs: Path) -> PreTrainedTokenizerBase:
    if not isinstance(recipe, CptRecipe) or not (recipe.tokenizer or recipe.vocabulary):
        return base.load_tokenizer(str(recipe.base))
    made = runfolder.RunFolder(runs / recipe.name).tokenizer
    if made.is_dir():
        return base.load_tokenizer(str(made))
    with tempfile.TemporaryDirectory() as folder:
        stage.make_tokenizer(recipe, Path(folder), lambda _: None, max(rows, FEW_ROWS))
        return base.load_tokenizer(folder)


def _spans(tokenizer: PreTrainedTokenizerBase, ids: list[int], mask: list[int]) -> Iterator[Span]:
    for trained, group in groupby(zip(ids, mask, strict=True), key=lambda pair: bool(pair[1])):
        tokens = [token for token, _ in group]
        yield Span(tokenizer.decode(tokens), trained, len(tokens))
