"""The trainer of cross-entropy, for sft and cpt.

Packed rows are kept apart by their positions and a block-diagonal mask, which holds on a CPU too; in bfloat16
on a GPU, by where they begin.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from transformers import PrinterCallback

from training.data.tokens import batches
from training.models import packed_attention
from training.recipe import Optimisation
from training.trainers import four_bits
from training.trainers.loop import settings
from training.trainers.supervised import Given
from training.trainers.trl import Likelihood


class Plan(Protocol):
    """What decides how a model learns by likelihood; a recipe of sft or cpt."""

    @property
    def train(self) -> Optimisation: ...
    @property
    def seed(self) -> int: ...
    @property
    def lora_plus(self) -> float: ...
    @property
    def paged(self) -> bool: ...


def build(plan: Plan, given: Given, train: Any, validation: Any, kind: type[Likelihood] = Likelihood) -> Any:
    """A trainer of this ``kind`` that is ready for ``train()`` and ``evaluate()``.

    Args:
        plan: the recipe.
        given: model, tokenizer, run and callbacks; its rows are not looked at.
        train, validation: datasets of ``input_ids`` and ``labels``, packed or not.
        kind: the trainer's class.
    """
    common = settings(plan.train, seed=plan.seed, checkpoints=given.run.checkpoints)
    common |= four_bits.optimiser(given.model, paged=plan.paged)
    bounds = common["bf16"] and torch.cuda.is_available() and "seq_lengths" in train.column_names
    if bounds:
        packed_attention.use(given.model)
    trainer = kind(
        model=given.model,
        args=kind.Config(**common, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}),
        data_collator=batches.Collator(int(given.tokenizer.pad_token_id), bounds=bounds),
        train_dataset=train.with_format("numpy"),
        eval_dataset=validation.with_format("numpy"),
        processing_class=given.tokenizer,
        callbacks=list(given.callbacks),
    )
    four_bits.learn_in_float32(given.model)
    trainer.lora_plus = plan.lora_plus
    trainer.row_lengths = batches.list_lengths(train, "input_ids")
    trainer.remove_callback(PrinterCallback)
    return trainer
