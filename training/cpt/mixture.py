"""The texts of a run: new ones and replayed ones mixed, some of each held out, others only measured.

What is held out depends on the texts and the seed, and not on the tokenizer: pieces of vocabulary are learned
from the very rows that are trained on later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cpt import documents
from training.data.preparing import collection, holding_out
from training.data.preparing.collection import Collected, Prepared, Report
from training.data.reading import sources
from training.data.tokens.token_rows import TokenRows
from training.errors import NothingToLearn
from training.recipe import CptRecipe, Data, Source


@dataclass(frozen=True, slots=True)
class Mixture(Prepared[TokenRows]):
    """What a run learns from and is measured on; ``validation`` holds the new text's rows of ``heldout``."""

    heldout: dict[str, TokenRows]  # source → rows that are never trained on
    probed: frozenset[str]  # those of them that are general text
    tokens: dict[str, int]  # source → tokens that are trained on in an epoch


@dataclass(frozen=True, slots=True)
class _Plan:
    """All sources of a recipe, whatever they are for."""

    data: Data
    seed: int


def prepared(recipe: CptRecipe, tokenizer_folder: Path | str, report: Report) -> Mixture:
    """The recipe's texts as tokens.

    Raises:
        SourceError, BadRows: as ``training.data.preparing.prepare_rows.prepare``.
        NothingToLearn: nothing is left to train on, or to evaluate on.
    """
    encode = partial(documents.encoded, folder=str(tokenizer_folder), limit=_limit(recipe))
    found = collection.collect(_plan(recipe), encode, report)
    _refuse_none(found)
    owners = _owners(recipe, [len(rows) for rows in found.parts])
    rows, labels = TokenRows.join(found.parts), [source.label for source in _sources(recipe)]
    train, kept = _parted(recipe, owners, rows.lengths, found.weights)
    if not len(train):
        raise NothingToLearn("the weights of the sources leave no row to train on; raise one")
    new = np.concatenate(kept[: len(recipe.data.sources)])
    if not len(new):
        raise NothingToLearn("the new text has a single row; one more is needed to evaluate on")
    heldout: dict[str, TokenRows] = {}
    tokens: dict[str, int] = {}
    probed = set()
    for number, label in enumerate(labels):
        if len(kept[number]):
            heldout[label] = rows.take(kept[number])
            if number >= len(recipe.data.sources):
                probed.add(label)
        read = int(rows.lengths[train[owners[train] == number]].sum())
        if read:
            tokens[label] = read
    if recipe.probe and not probed:
        raise NothingToLearn("the general text has a single row, so nothing of it can be held out as a probe")
    return Mixture(
        rows.take(train),
        rows.take(new),
        found.hashes,
        found.dropped,
        heldout,
        frozenset(probed),
        tokens,
        learned_too=holding_out.on_both_sides(rows.groups, train, np.concatenate(kept)),
    )


def training_texts(recipe: CptRecipe, rows: int, report: Report) -> list[str]:
    """``rows`` texts of the new sources, drawn from those that are trained on; conversations are left out.

    Raises:
        SourceError, BadRows: as ``training.data.preparing.prepare_rows.prepare``.
        NothingToLearn: there are no plain texts.
    """
    read = partial(documents.texts, limit=_limit(recipe))
    found = collection.collect(_plan(recipe), read, report)
    _refuse_none(found)
    owners = _owners(recipe, [len(part) for part in found.parts])
    texts = [text for part in found.parts for text in part.texts]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    train, _ = _parted(recipe, owners, lengths, np.ones(len(texts)))
    drawn = train[owners[train] < len(recipe.data.sources)]
    drawn = np.random.default_rng(recipe.seed).permutation(np.unique(drawn))[:rows]
    chosen = [texts[row] for row in drawn if texts[row]]
    if not chosen:
        raise NothingToLearn("vocabulary: the sources hold conversations only, and pieces come from texts")
    return chosen


def dropped(recipe: CptRecipe, report: Report) -> dict[str, int]:
    """Why how many rows of all sources are dropped, whatever the tokenizer will be.

    Raises:
        SourceError, BadRows: as ``training.data.preparing.prepare_rows.prepare``.
        NothingToLearn: no row is left.
    """
    found = collection.collect(_plan(recipe), partial(documents.texts, limit=_limit(recipe)), report)
    _refuse_none(found)
    return found.dropped


def _refuse_none(found: Collected[Any]) -> None:
    if not any(map(len, found.parts)):
        raise NothingToLearn(f"no row is left to train on ({found.why})")


def _limit(recipe: CptRecipe) -> int:
    return documents.CHARACTERS * recipe.data.max_tokens


def _sources(recipe: CptRecipe) -> list[Source]:
    """New ones first, then replayed ones, then those that are only measured."""
    replayed = recipe.replay.sources if recipe.replay else []
    return [*recipe.data.sources, *replayed, *(recipe.probe.sources if recipe.probe else [])]


def _plan(recipe: CptRecipe) -> _Plan:
    return _Plan(recipe.data.model_copy(update={"sources": _sources(recipe)}), recipe.seed)


def _owners(recipe: CptRecipe, lengths: list[int]) -> NDArray[np.int64]:
    """The number of each row's source, (rows,); ``lengths``: rows of each part."""
    numbers = [
        number for number, source in enumerate(_sources(recipe)) for _ in sources.parts(source, recipe.seed)
    ]
    return np.repeat(np.array(numbers, dtype=np.int64), lengths)


def _parted(
    recipe: CptRecipe, owners: NDArray[np.int64], lengths: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Numbers of the rows that are trained on, as often as they are, and of those held out of each source."""
    rng = np.random.default_rng(recipe.seed)
    order = rng.permutation(len(owners))
    new, replayed = len(recipe.data.sources), len(recipe.replay.sources) if recipe.replay else 0
    probe = recipe.probe.rows if recipe.probe else 0
    learned: list[NDArray[np.int64]] = []
    held: list[NDArray[np.int64]] = []
    for number in range(len(_sources(recipe))):
        rows = order[owners[order] == number]
        if number < new:
            kept = min(max(1, recipe.data.validation_rows // new), len(rows) // 2)
        elif recipe.probe and recipe.probe.sources:
            kept = 0 if number < new + replayed else len(rows[: max(1, probe // len(recipe.probe.sources))])
        else:
            kept = min(max(1, probe // replayed), len(rows) // 2)
        held.append(rows[:kept])
        learned.append(rows[kept:])
    train = collection.repeat(np.concatenate(learned[:new]), weights, rng)
    if not recipe.replay or not len(train):
        return train, held
    share = recipe.replay.share
    general = np.concatenate(learned[new : new + replayed])
    wanted = lengths[train].sum() * share / (1 - share)
    return rng.permutation(np.concatenate([train, _drawn(general, weights, lengths, wanted, rng)])), held


def _drawn(
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    lengths: NDArray[np.int64],
    wanted: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """``rows`` again and again, each round in another order, until ``wanted`` tokens are there."""
    found: list[NDArray[np.int64]] = []
    while wanted > 0:
        again = rng.permutation(collection.repeat(rows, weights, rng))
        if not len(again):
            raise NothingToLearn("the weights of replay.sources leave no row to replay; raise one")
        read = np.cumsum(lengths[again])
        again = again[: int(np.searchsorted(read, wanted)) + 1]
        wanted -= float(lengths[again].sum())
        found.append(again)
    return np.concatenate(found)
