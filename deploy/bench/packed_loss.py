"""What packing changes of a loss: the rows of a recipe of sft, packed and each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from training import recipe as recipes
from training.data.tokens import batches
from training.models.base import load_model, load_tokenizer
from training.recipe import SftRecipe
from training.sft import learning
from training.trainers import trl

LIMIT = 60  # rows


@dataclass(frozen=True, slots=True)
class PackedLoss:
    """Sums are in nats, of trained tokens, in float32."""

    rows: int
    blocks: int  # that they are packed into
    tokens: int  # that are trained
    apart: float  # the sum, each row by itself
    packed: float  # the sum, several rows to a block

    @property
    def difference(self) -> float:
        """Nats a token."""
        return abs(self.packed - self.apart) / self.tokens

    def __str__(self) -> str:
        return (
            f"{self.rows} rows in {self.blocks} blocks: {self.packed / self.tokens:.6f} nats a trained token "
            f"packed, {self.apart / self.tokens:.6f} each by itself, {self.difference:.1e} apart"
        )


def measure(recipe_path: Path, limit: int = LIMIT) -> PackedLoss:
    """The losses of the base of the recipe on ``limit`` of its rows, before it learns."""
    recipe = recipes.load(recipe_path)
    assert isinstance(recipe, SftRecipe)
    prepared = learning.prepare(recipe, recipe.base, lambda _: None)
    rows = prepared.train.take(np.arange(min(limit, len(prepared.train))))
    model = load_model(recipe.base).eval()
    collate = batches.Collator(int(load_tokenizer(recipe.base).pad_token_id))
    blocks = trl.packed(rows, recipe.data.max_tokens).with_format("numpy")
    apart = sum(_sum(model, collate([row])) for row in batches.dataset(rows).with_format("numpy"))
    packed = sum(_sum(model, collate([block])) for block in blocks)
    return PackedLoss(len(rows), len(blocks), rows.trained, apart, packed)


def _sum(model: Any, batch: dict[str, Any]) -> float:
    """Nats of the batch's trained tokens."""
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch, use_cache=False).logits
    return float(
        cross_entropy(
            logits[:, :-1].flatten(0, 1),
            labels[:, 1:].flatten(),
            ignore_index=batches.IGNORED,
            reduction="sum",
        )
    )
