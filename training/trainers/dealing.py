"""An epoch's batches dealt out to several processes, so that they learn what one process would.

Where the last round has fewer batches than processes, accelerate fills it up with rows that are then learned
twice. Here the others get an idle batch in its place: they take part in the round, and nothing of it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from training.data.tokens.batches import IGNORED, LengthSampler

IDLE = "idle"  # of a batch: whether it only stands in for one


class Dealt(Sampler[list[int]]):
    """Of an epoch's batches every ``count``-th, from ``process`` on; an empty one where none is left."""

    def __init__(self, order: LengthSampler, process: int, count: int) -> None:
        self.order, self.process, self.count = order, process, count
        self.batch_size = order.batch * count  # of a round, by accelerate's name

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of an epoch."""
        self.order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(range(0, len(self.order), self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        rows, size = list(self.order), self.order.batch
        for start in range(0, len(rows), self.batch_size):
            mine = start + self.process * size
            yield rows[mine : min(mine + size, start + self.batch_size)]


@dataclass(frozen=True, slots=True)
class Marked:
    """Says of each batch whether it is idle; those are of a ``spare`` row, and no label is learned."""

    collate: Callable[[Sequence[Any]], dict[str, Any]]
    spare: Any

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """The batch of ``rows``, or an idle one where there are none."""
        batch = {**self.collate(rows or [self.spare]), IDLE: not rows}
        if not rows and "labels" in batch:
            batch["labels"] = torch.full_like(batch["labels"], IGNORED)
        return batch


@dataclass(frozen=True, slots=True)
class Rows:
    """A dataset that is also asked for no row at all."""

    rows: Any

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, which: list[int]) -> list[Any]:
        """The rows of a batch."""
        found: list[Any] = self.rows.__getitems__(which) if which else []
        return found


def deal(loader: Any, order: LengthSampler, process: int, count: int) -> Any:
    """The batches of accelerate's ``loader``, in this ``order``, that are those of ``process``."""
    from accelerate.data_loader import prepare_data_loader

    kept = ("num_workers", "pin_memory", "worker_init_fn", "multiprocessing_context", "prefetch_factor")
    dealt: Any = DataLoader(
        Rows(loader.dataset),  # type: ignore[arg-type]
        batch_sampler=Dealt(order, process, count),
        collate_fn=Marked(loader.collate_fn, loader.dataset[int(order.lengths.argmin())]),
        persistent_workers=loader.persistent_workers,
        **{name: getattr(loader, name) for name in kept},
    )
    return prepare_data_loader(dealt, num_processes=1, process_index=0)
