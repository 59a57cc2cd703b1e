"""The trainer of a reward model, on pairs that are tokens already."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import PrinterCallback

from training.data.tokens.batches import length_multiple, list_column, list_lengths, table
from training.data.tokens.token_pairs import PairRows
from training.recipe import RmRecipe
from training.trainers import four_bits
from training.trainers.loop import settings
from training.trainers.supervised import Given
from training.trainers.trl import Reward


def dataset(rows: PairRows, *, margins: bool) -> Any:
    """``rows`` as ``chosen_ids`` and ``rejected_ids``, and ``margin`` (0 where a row has none) if wanted."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "chosen_ids": list_column(rows.chosen.ids, rows.chosen.lengths),
        "rejected_ids": list_column(rows.rejected.ids, rows.rejected.lengths),
    }
    if margins and not np.isnan(rows.margins).all():
        columns["margin"] = pa.array(np.nan_to_num(rows.margins))
    return table(columns)


def build(recipe: RmRecipe, given: Given) -> Any:
    """A trainer of the pairs that are ``given``."""
    train, validation = (
        dataset(rows, margins=recipe.margins) for rows in (given.prepared.train, given.prepared.validation)
    )
    arguments = Reward.Config(
        **settings(recipe.train, seed=recipe.seed, checkpoints=given.run.checkpoints)
        | four_bits.optimiser(given.model, paged=recipe.paged),
        max_length=None,
        center_rewards_coefficient=recipe.centre or None,
        pad_to_multiple_of=length_multiple(),
    )
    trainer = Reward(
        model=given.model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=given.tokenizer,
        callbacks=list(given.callbacks),
    )
    four_bits.learn_in_float32(given.model)
    lengths = [list_lengths(train, column) for column in ("chosen_ids", "rejected_ids")]
    trainer.row_lengths = np.maximum(*lengths)
    trainer.remove_callback(PrinterCallback)
    return trainer
