"""Learning by likelihood, as sft does: tokens with a loss mask, TRL's SFTTrainer, cross-entropy."""

from __future__ import annotations

from typing import Any

from training.data.preparing.collection import Prepared, Report
from training.data.preparing.prepare_rows import prepare
from training.data.tokens.token_rows import TokenRows
from training.recipe import SftRecipe
from training.runs.curves import Panel
from training.trainers.supervised import Given

PANELS = (
    Panel("nats per token", {"loss": "-", "eval_loss": "o--"}, logarithmic=True, height=3),
    Panel("learning rate", {"learning_rate": "-"}),
)

__all__ = ["PANELS", "evaluate", "prepare", "trainer"]


def trainer(recipe: SftRecipe, given: Given) -> Any:
    """TRL's trainer of the rows: one conversation to a sequence, or several that don't see each other."""
    from training.data.tokens import batches
    from training.trainers import likelihood, trl

    rows = given.prepared
    train = trl.packed(rows.train, recipe.data.max_tokens) if recipe.packing else batches.dataset(rows.train)
    return likelihood.build(recipe, given, train, batches.dataset(rows.validation))


def evaluate(
    recipe: SftRecipe, training: Any, prepared: Prepared[TokenRows], report: Report
) -> dict[str, float]:
    """Held-out loss and token accuracy of the weights as they are served."""
    from training.models import base

    base.round_to_served(training.model)
    evaluation = training.evaluate()
    return {
        "eval_loss": float(evaluation["eval_loss"]),
        "eval_token_accuracy": float(evaluation["eval_mean_token_accuracy"]),
    }
