"""Token rows as a trainer reads them: a dataset, an order that seed and epoch decide, padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from numpy.typing import NDArray
from torch.utils.data import Sampler

from training.data.tokens.token_rows import TokenRows

IGNORED = -100  # the label of a token that is not trained on
WINDOW_BATCHES = 50  # batches that are filled from one shuffled window, sorted by length


def dataset(rows: TokenRows) -> Any:
    """``rows`` as a dataset of ``input_ids`` and ``labels``."""
    labels = np.where(rows.loss_mask, rows.ids, IGNORED).astype(np.int32)
    return table(
        {"input_ids": list_column(rows.ids, rows.lengths), "labels": list_column(labels, rows.lengths)}
    )


def table(columns: dict[str, Any]) -> Any:
    """A dataset of ``columns`` of pyarrow, held in memory."""
    import pyarrow as pa

    return Dataset(InMemoryTable(pa.table(columns)))


def list_column(values: NDArray[Any], lengths: NDArray[np.int64]) -> Any:
    """A column of lists: ``values`` (N,) end to end, cut into ``lengths`` (rows,)."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def list_lengths(rows: Any, column: str) -> NDArray[np.int64]:
    """The length of each list in a ``column`` of the dataset ``rows``, (rows,)."""
    import pyarrow.compute as pc

    lengths: NDArray[np.int64] = pc.list_value_length(rows.data.column(column)).to_numpy().astype(np.int64)
    return lengths


def length_multiple() -> int:
    """What a batch's length is padded to a multiple of: 8 suits tensor cores, a CPU gains nothing by it."""
    return 8 if torch.cuda.is_available() else 1


@dataclass(frozen=True, slots=True)
class Collator:
    """From rows to a batch: ``input_ids``, ``labels`` and ``position_ids``, each (B, T).

    Positions start anew with every packed row, and that is how the attention knows them apart; no mask is
    given, because padding stands behind everything that could look at it. With ``bounds`` packed rows come
    with ``cu_seq_lens_q`` and ``max_length_q``, which say the same to ``packed_attention``. No closure, as
    processes that load batches may be spawned and not forked.
    """

    pad: int
    bounds: bool = False
    multiple: int = field(default_factory=length_multiple)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The batch of ``rows``, each with ``input_ids``, ``labels`` and, if packed, ``seq_lengths``."""
        longest = max(len(row["input_ids"]) for row in rows)
        shape = (len(rows), -(-longest // self.multiple) * self.multiple)
        ids, labels = np.full(shape, self.pad, np.int64), np.full(shape, IGNORED, np.int64)
        positions = np.tile(np.arange(shape[1]), (len(rows), 1))
        for i, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[i, :length], labels[i, :length] = row["input_ids"], row["labels"]
            start = 0
            for packed_length in row.get("seq_lengths", ()):
                positions[i, start:] = np.arange(shape[1] - start)
                start += int(packed_length)
            if start:
                positions[i, start:] = np.arange(shape[1] - start)
        labels[positions == 0] = IGNORED  # the first token of a row follows nothing
        found = {
            "input_ids": torch.from_numpy(ids),
            "labels": torch.from_numpy(labels),
            "position_ids": torch.from_numpy(positions),
        }
        if self.bounds and any("seq_lengths" in row for row in rows):
            found |= _bounds(positions)
        return found


def _bounds(positions: NDArray[np.int64]) -> dict[str, Any]:
    """Where rows begin in ``positions`` (B, T) laid end to end, and the longest, by transformers' names."""
    edges = np.append(np.flatnonzero(positions == 0), positions.size)
    return {
        "cu_seq_lens_q": torch.from_numpy(edges.astype(np.int32)),
        "max_length_q": int(np.diff(edges).max()),
    }


class LengthSampler(Sampler[int]):
    """Rows in an order that seed and epoch decide, those of a batch about equally long."""

    def __init__(self, lengths: NDArray[np.int64], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        window = self.batch * WINDOW_BATCHES
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), window):
            rows = order[start : start + window]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        # The longest batch first: a batch too large for the memory fails at once. Only full ones are
        # shuffled, as a short one elsewhere than last would shift all that follow it.
        full = [batch for batch in batches[1:] if len(batch) == self.batch]
        short = [batch for batch in batches[1:] if len(batch) < self.batch]
        rng.shuffle(full)
        for chosen in [*batches[:1], *full, *short]:
            yield from (int(row) for row in chosen)
