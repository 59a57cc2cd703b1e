"""From a recipe to token rows, training and validation, on all the machine's cores.

The parts of the sources are read, rendered and tokenised in worker processes; what comes out depends on
the recipe alone, not on how many there are.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from training import render, sources
from training.errors import BadRow, BadRows, NothingToLearn
from training.recipe import CptRecipe, Data
from training.token_rows import TokenRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
R = TypeVar("R")
Report = Callable[[str], None]


class Plan(Protocol):
    """What decides which rows there are: a stage's recipe, or the part of one that text is mixed in by."""

    @property
    def data(self) -> Data: ...
    @property
    def seed(self) -> int: ...


class TokenPlan(Plan, Protocol):
    """What decides token rows."""

    @property
    def stage(self) -> render.Stage: ...


class Rows(Protocol):
    """Rows of tokens, whatever a stage makes of them."""

    @property
    def tokens(self) -> int: ...
    @property
    def trained(self) -> int: ...  # tokens that are trained on
    def __len__(self) -> int: ...
    def take(self, rows: NDArray[np.int64]) -> Any: ...


RowsT = TypeVar("RowsT", bound=Rows)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[RowsT]):
    """What a run learns from."""

    train: RowsT
    validation: RowsT
    hashes: dict[str, str]  # source → sha256 of its rows
    dropped: dict[str, int]  # why → rows


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

    def parted(self, rows: RowsT, recipe: Plan) -> Prepared[RowsT]:
        """``rows`` (those of all parts) shuffled, the last ``validation_rows`` kept for evaluation.

        Raises:
            NothingToLearn: one row is left, or the sources' weights leave none.
        """
        if len(rows) < 2:
            raise NothingToLearn(
                f"only one row is left ({self.why or 'one given'}); one more is needed to evaluate on"
            )
        rng = np.random.default_rng(recipe.seed)
        order = rng.permutation(len(rows))
        kept = min(recipe.data.validation_rows, len(rows) // 2)
        train = repeat(order[kept:], self.weights, rng)
        if not len(train):
            raise NothingToLearn("the weights of the sources leave no row to train on; raise one")
        return Prepared(rows.take(train), rows.take(order[:kept]), self.hashes, self.dropped)


def sample_texts(recipe: CptRecipe, chat_template: str, rows: int) -> Iterator[str]:
    """Rendered rows to learn a tokenizer from: ``rows`` of them, from each source by its share."""
    shares = [max(1.0, getattr(source, "rows", rows) * source.weight) for source in recipe.data.sources]
    wanted: list[sources.Part] = []
    for source, share in zip(recipe.data.sources, shares, strict=True):
        left = max(1, round(rows * share / sum(shares)))
        for part in sources.parts(source, recipe.seed):
            if left > 0:
                wanted.append(part)
                left -= part.rows or left
    bad: list[BadRow] = []
    with _workers(len(wanted)) as run:
        for texts in run(partial(_texts, chat_template=chat_template), wanted):
            if isinstance(texts, BadRows):
                bad += texts.rows
            else:
                yield from texts[: max(1, round(rows / len(wanted)))]
    if bad:
        raise BadRows(bad)


def prepare(recipe: TokenPlan, tokenizer_folder: Path | str, report: Report) -> Prepared[TokenRows]:
    """The recipe's rows as tokens, shuffled, the last ``validation_rows`` of them kept for evaluation.

    Raises:
        SourceError, BadRows: the data can't be used; BadRows has those of all sources.
        NothingToLearn: no row is left, no token is trained, or no end of turn is.
    """
    encode = partial(
        _encode, folder=str(tokenizer_folder), stage=recipe.stage, max_tokens=recipe.data.max_tokens
    )
    found = collect(recipe, encode, report)
    rows = TokenRows.join(found.parts)
    _refuse_unlearnable(rows, found, recipe)
    return found.parted(rows, recipe)


def collect(
    recipe: Plan, encode: Callable[[sources.Part], Encoded[RowsT] | BadRows], report: Report
) -> Collected[RowsT]:
    """Every part of the recipe's sources by ``encode``, a function that worker processes can import.

    Raises:
        SourceError, BadRows: as ``prepare``.
    """
    parts = [part for source in recipe.data.sources for part in sources.parts(source, recipe.seed)]
    encoded: list[RowsT] = []
    digests: dict[str, list[str]] = {}
    dropped: dict[str, int] = {}
    weights: list[NDArray[np.float64]] = []
    bad: list[BadRow] = []
    ends_trained = 0
    with _workers(len(parts)) as run:
        for part, result in zip(parts, run(encode, parts), strict=True):
            if isinstance(result, BadRows):
                bad += result.rows
                continue
            encoded.append(result.rows)
            digests.setdefault(part.source.label, []).append(result.digest)
            weights.append(np.full(len(result.rows), part.source.weight))
            ends_trained += result.ends_trained
            for why, count in result.dropped.items():
                dropped[why] = dropped.get(why, 0) + count
            if len(parts) > 1 and len(encoded) % max(1, len(parts) // 5) == 0:
                report(f"read {len(encoded)} of {len(parts)} parts of the data")
    if bad:
        raise BadRows(bad)
    hashes = {
        label: parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()
        for label, parts in digests.items()
    }
    return Collected(encoded, np.concatenate(weights), hashes, dropped, ends_trained)


def _texts(part: sources.Part, chat_template: str) -> list[str] | BadRows:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    template: Any = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), chat_template=chat_template
    )
    try:
        return [render.text(template, row) for row in sources.read(part, "cpt")]
    except BadRows as exc:
        return exc


_tokenizers: dict[str, Any] = {}  # of this worker process


def worker_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer in ``folder``, loaded once in a worker process."""
    if folder not in _tokenizers:
        from transformers import AutoTokenizer

        _tokenizers[folder] = AutoTokenizer.from_pretrained(folder)
    return _tokenizers[folder]


def _encode(
    part: sources.Part, folder: str, stage: render.Stage, max_tokens: int
) -> Encoded[TokenRows] | BadRows:
    tokenizer = worker_tokenizer(folder)
    try:
        rows = sources.read(part, stage)
    except BadRows as exc:
        return exc
    all_ids: list[int] = []
    all_masks: list[int] = []
    lengths: list[int] = []
    dropped: dict[str, int] = {}
    render.refuse_ignored_weights(tokenizer, rows)
    bad: list[BadRow] = []
    for row in rows:
        try:
            ids, mask = render.tokens(tokenizer, row, stage)
        except BadRows as exc:
            bad += exc.rows
            continue
        if stage == "sft" and len(ids) > max_tokens:
            why = f"longer than max_tokens ({max_tokens})"
        elif not any(mask):
            why = "no token to learn"
        else:
            all_ids += ids
            all_masks += mask
            lengths.append(len(ids))
            continue
        dropped[why] = dropped.get(why, 0) + 1
    if bad:
        return BadRows(bad)
    tokens = np.array(all_ids, dtype=np.int32)
    mask_array = np.array(all_masks, dtype=np.bool_)
    ends = int(((tokens == tokenizer.eos_token_id) & mask_array).sum())
    encoded = TokenRows(tokens, mask_array, np.array(lengths, dtype=np.int64))
    return Encoded(encoded, sources.digest(rows), dropped, ends)


def _refuse_unlearnable(rows: TokenRows, found: Collected[TokenRows], recipe: TokenPlan) -> None:
    if not rows.loss_mask.any():
        hint = (
            "does the base's chat template mark assistant turns with {% generation %}?"
            if "no token to learn" in found.dropped
            else "raise data.max_tokens, or give shorter rows"
        )
        raise NothingToLearn(f"no token would be trained ({found.why or 'no rows'}); {hint}")
    if recipe.stage == "sft" and not found.ends_trained:
        raise NothingToLearn(
            "the end of an assistant's turn is never trained, so answers would not stop: the chat template "
            "must close {% generation %} after its end-of-turn token, not before"
        )


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


@contextmanager
def _workers(parts: int) -> Iterator[Callable[[Callable[[T], R], Iterable[T]], Iterator[R]]]:
    """An ordered map over worker processes, or in this one where there is one part or one core."""
    count = min(parts, len(os.sched_getaffinity(0)))
    if count < 2:
        yield map
        return
    # A fresh server forks the workers: this process may hold threads, and those do not survive a fork.
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.prepare", "transformers.models.auto.tokenization_auto"])
    with context.Pool(count) as pool:
        yield pool.imap
