"""From the sources of a recipe to rows, whatever a stage makes of them: collected, mixed, parted.

What comes out depends on the recipe alone. It knows neither what a row is nor how it is rendered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.data.preparing import holding_out
from training.data.reading import sources, workers
from training.errors import NothingToLearn
from training.recipe import PromptSource, Source

Report = Callable[[str], None]


class Sources(Protocol):
    """What rows come from, and how many of them are kept for evaluation; 0: none need be."""

    @property
    def sources(self) -> Sequence[Source | PromptSource]: ...
    @property
    def validation_rows(self) -> int: ...


class Plan(Protocol):
    """What decides which rows there are: a stage's recipe, or the part of one that text is mixed in by."""

    @property
    def data(self) -> Sources: ...
    @property
    def seed(self) -> int: ...


class Rows(Protocol):
    """Rows of tokens, whatever a stage makes of them."""

    @property
    def tokens(self) -> int: ...
    @property
    def trained(self) -> int: ...  # tokens that are trained on
    def __len__(self) -> int: ...
    def take(self, rows: NDArray[np.int64]) -> Any: ...


class Grouped(Rows, Protocol):
    """Rows of which it is known what may not be parted."""

    @property
    def groups(self) -> NDArray[np.int64]: ...  # (rows,): the same of rows that are learned or kept together


RowsT = TypeVar("RowsT", bound=Rows)
GroupedT = TypeVar("GroupedT", bound=Grouped)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[RowsT]):
    """What a run learns from."""

    train: RowsT
    validation: RowsT
    hashes: dict[str, str]  # source → sha256 of its rows
    dropped: dict[str, int]  # why → rows
    learned_too: int = field(default=0, kw_only=True)  # rows to evaluate on that are trained on as well


@dataclass(frozen=True, slots=True)
class Encoded(Generic[RowsT]):
    """One part of a source as tokens."""

    rows: RowsT
    digest: str
    dropped: dict[str, int]  # why → rows
    ends_trained: int  # trained end-of-turn tokens


@dataclass(frozen=True, slots=True)
class Collected(Generic[RowsT]):
    """All parts of all sources as tokens, in order."""

    parts: list[RowsT]
    weights: NDArray[np.float64]  # of each row, its source's
    hashes: dict[str, str]
    dropped: dict[str, int]
    ends_trained: int

    @property
    def why(self) -> str:
        """What was dropped, in words."""
        return "; ".join(f"{count} rows: {reason}" for reason, count in self.dropped.items())

    def parted(self, rows: GroupedT, recipe: Plan) -> Prepared[GroupedT]:
        """``rows`` (those of all parts) shuffled, ``validation_rows`` of them kept for evaluation.

        Raises:
            NothingToLearn: one row is left, or the sources' weights leave none.
        """
        if recipe.data.validation_rows and len(rows) < 2:
            raise NothingToLearn(
                f"data.sources ({', '.join(self.hashes)}): only one row is left ({self.why or 'one given'}); "
                "one more is needed to evaluate on. A .txt file is one row, unless its `documents` are "
                "paragraphs or lines"
            )
        rng = np.random.default_rng(recipe.seed)
        order = rng.permutation(len(rows))
        groups = rows.groups
        learned, kept = holding_out.parted(order, groups, recipe.data.validation_rows)
        train = repeat(learned, self.weights, rng)
        if not len(train):
            raise NothingToLearn("the weights of the sources leave no row to train on; raise one")
        learned_too = holding_out.on_both_sides(groups, train, kept)
        return Prepared(rows.take(train), rows.take(kept), self.hashes, self.dropped, learned_too=learned_too)


def collect(
    recipe: Plan, encode: Callable[[sources.Part], Encoded[RowsT]], report: Report
) -> Collected[RowsT]:
    """Every part of the recipe's sources by ``encode``, a function that worker processes can import.

    Raises:
        SourceError: there is no such file or generator, or it gives nothing.
        BadRows: those of all sources.
    """
    parts = [part for source in recipe.data.sources for part in sources.parts(source, recipe.seed)]
    encoded: list[RowsT] = []
    digests: dict[str, list[str]] = {}
    dropped: dict[str, int] = {}
    weights: list[NDArray[np.float64]] = []
    ends_trained = 0
    for part, result in workers.results(encode, parts):
        encoded.append(result.rows)
        digests.setdefault(part.source.label, []).append(result.digest)
        weights.append(np.full(len(result.rows), part.source.weight))
        ends_trained += result.ends_trained
        for why, count in result.dropped.items():
            dropped[why] = dropped.get(why, 0) + count
        if len(parts) > 1 and len(encoded) % max(1, len(parts) // 5) == 0:
            report(f"read {len(encoded)} of {len(parts)} parts of the data")
    hashes = {
        label: parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()
        for label, parts in digests.items()
    }
    return Collected(encoded, np.concatenate(weights), hashes, dropped, ends_trained)


def repeat(
    rows: NDArray[np.int64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """``rows`` with each as often as its weight says, the fraction by chance, shuffled where any repeats.

    Args:
        rows: numbers of rows.
        weights: of all rows, by number.
        rng: decides the fractions and the order.
    """
    row_weights = weights[rows]
    if (row_weights == 1.0).all():
        return rows
    times = np.floor(row_weights + rng.random(len(rows))).astype(np.int64)
    return rng.permutation(np.repeat(rows, times))
