"""TRL's RewardTrainer, fed with pairs that are tokens already.

Where it departs from TRL's: the rows come in our order; held-out metrics are means over pairs, not over
batches; the scores of the last evaluation are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from datasets.table import InMemoryTable
from numpy.typing import NDArray
from transformers import PrinterCallback
from trl import RewardConfig, RewardTrainer

from training.pair_rows import PairRows
from training.recipe import RmRecipe
from training.trainer import Ordered, RowMeans, list_column, list_lengths, settings


def dataset(rows: PairRows, *, margins: bool) -> Any:
    """``rows`` as ``chosen_ids`` and ``rejected_ids``, and ``margin`` (0 where a row has none) if wanted."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "chosen_ids": list_column(rows.chosen.ids, rows.chosen.lengths),
        "rejected_ids": list_column(rows.rejected.ids, rows.rejected.lengths),
    }
    if margins and not np.isnan(rows.margins).all():
        columns["margin"] = pa.array(np.nan_to_num(rows.margins))
    return Dataset(InMemoryTable(pa.table(columns)))


class _Trainer(Ordered, RowMeans, RewardTrainer):  # type: ignore[misc]
    """RewardTrainer that remembers what it scored."""

    answers = 2
    scores: list[NDArray[np.float64]]  # of the last evaluation, a batch each: (2, B), chosen and rejected

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        self.scores = []
        found: dict[str, float] = super().evaluate(*args, **kwargs)
        return found

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if not model.training:
            self.scores.append(outputs.logits.detach().float().cpu().double().numpy().reshape(2, -1))
        return (loss, outputs) if return_outputs else loss


def build(
    recipe: RmRecipe,
    model: Any,
    tokenizer: Any,
    datasets: tuple[Any, Any],
    *,
    checkpoints: Path,
    callbacks: Sequence[Any],
) -> Any:
    """A trainer of the pairs in ``datasets``, training and validation."""
    train, validation = datasets
    arguments = RewardConfig(
        **settings(recipe.train, seed=recipe.seed, checkpoints=checkpoints),
        max_length=None,
        center_rewards_coefficient=recipe.centre or None,
        pad_to_multiple_of=8,
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    lengths = [list_lengths(train, column) for column in ("chosen_ids", "rejected_ids")]
    trainer.row_lengths = np.maximum(*lengths)
    trainer.remove_callback(PrinterCallback)
    return trainer
