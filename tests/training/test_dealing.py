"""An epoch's batches among several processes: each once, in the order of one, and idle ones at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from accelerate import skip_first_batches
from torch.utils.data import DataLoader

from training.data.tokens.batches import LengthSampler
from training.trainers import dealing

LENGTHS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])


class Texts:
    """A dataset of row numbers."""

    def __len__(self) -> int:
        return len(LENGTHS)

    def __getitem__(self, row: int) -> int:
        return row

    def __getitems__(self, rows: list[int]) -> list[int]:
        return rows


def collated(rows: Any) -> dict[str, Any]:
    return {"rows": list(rows), "labels": torch.tensor(rows)}


def dealt(process: int, count: int) -> Any:
    loader: Any = DataLoader(Texts(), batch_size=2, collate_fn=collated)  # type: ignore[arg-type]
    return dealing.deal(loader, LengthSampler(LENGTHS, 2, seed=0), process, count)


@pytest.mark.parametrize("count", [2, 4])
def test_every_batch_goes_to_one_process_in_turn(count: int) -> None:
    order = list(LengthSampler(LENGTHS, 2, seed=0))
    whole = [order[at : at + 2] for at in range(0, len(order), 2)]
    shares = [list(dealt(process, count)) for process in range(count)]
    assert {len(share) for share in shares} == {-(-len(whole) // count)}
    batches = [batch for round_ in zip(*shares, strict=True) for batch in round_]
    assert [batch["rows"] for batch in batches if not batch[dealing.IDLE]] == whole
    for batch in batches[len(whole) :]:
        assert batch[dealing.IDLE]
        assert (batch["labels"] == -100).all()


def test_a_run_that_goes_on_skips_what_it_has_had() -> None:
    mine = [batch["rows"] for batch in dealt(1, 2)]
    loader = dealt(1, 2)
    loader.set_epoch(0)
    assert [batch["rows"] for batch in skip_first_batches(loader, 1)] == mine[1:]
    loader.set_epoch(1)
    assert [batch["rows"] for batch in loader] != mine
