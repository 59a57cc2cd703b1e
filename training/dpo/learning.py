"""How dpo and its kin learn and are measured: both answers' log-probabilities, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.data.preparing import prepare_pairs
from training.data.preparing.collection import Prepared, Report
from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows
from training.methods import lora
from training.recipe import DpoRecipe
from training.runs.curves import Panel
from training.trainers.supervised import Given

PANELS = (
    Panel("loss", {"loss": "-", "eval_loss": "o--"}, height=2),
    Panel("margin of rewards", {"margin": "-", "eval_margin": "o--"}, height=2),
    Panel("accuracy", {"accuracy": "-", "eval_accuracy": "o--"}, height=2),
    Panel(
        "log-probability, nats",
        {
            "chosen_logp": "-",
            "rejected_logp": ":",
            "eval_chosen_logp": "o--",
            "eval_rejected_logp": "x:",
            "chosen_token_logp": "-",
            "rejected_token_logp": ":",
        },
        height=2,
    ),
    Panel("learning rate", {"learning_rate": "-"}),
)


def prepare(
    recipe: DpoRecipe, tokenizer_folder: Path | str, report: Report
) -> Prepared[PairRows] | Prepared[LabelledRows]:
    """The recipe's pairs; for kto its labelled answers, a pair being two of them."""
    if recipe.loss == "kto":
        answers = prepare_pairs.labelled(recipe, tokenizer_folder, report)
        if (one := _only(answers.train)) is not None:
            report(one)
        return answers
    prepared = prepare_pairs.pairs(recipe, tokenizer_folder, report)
    if not np.isnan(prepared.train.margins).all():
        report("the rows' margins are left unused: rm has them, dpo does not")
    return prepared


def _only(rows: LabelledRows) -> str | None:
    """The warning that all labels are one; None: they are not."""
    if rows.good.any() and not rows.good.all():
        return None
    said = "true" if rows.good.all() else "false"
    return (
        f"warning: every answer to train on has the label {said}, and kto learns what parts good answers "
        "from bad ones; give rows of both labels"
    )


def trainer(recipe: DpoRecipe, given: Given) -> Any:
    """TRL's trainer of the recipe's loss."""
    from training.dpo import trainer as preference_trainer

    return preference_trainer.build(recipe, given)


def evaluate(
    recipe: DpoRecipe,
    training: Any,
    prepared: Prepared[PairRows] | Prepared[LabelledRows],
    report: Report,
) -> dict[str, float]:
    """Held-out loss, margin, accuracy and both log-probabilities: the start's, and of the weights served."""
    from training.models import base, logprobs

    base.round_to_served(training.model)
    evaluation = training.evaluate()
    found = {"eval_loss": float(evaluation["eval_loss"])}
    for ours, name in (("eval_margin", "eval_rewards/margins"), ("eval_accuracy", "eval_rewards/accuracies")):
        if name in evaluation:  # kto has no pairs to be right about
            found[ours] = float(evaluation[name])
    pad = int(training.processing_class.pad_token_id)
    for name, rows in _both(prepared.validation).items():
        if not len(rows):
            continue
        with training.accelerator.autocast():
            found[f"eval_{name}_logp"] = float(logprobs.answers(training.model, rows, pad).mean())
            with lora.reference(training.model):
                start = float(logprobs.answers(training.model, rows, pad).mean())
        found[f"eval_{name}_logp_start"] = start
    if recipe.loss == "kto" and {"eval_chosen_logp", "eval_rejected_logp"} <= found.keys():
        # The trainer's is a mean over batches, which hold good and bad answers in any number.
        found["eval_margin"] = recipe.temperature * (
            (found["eval_chosen_logp"] - found["eval_chosen_logp_start"])
            - (found["eval_rejected_logp"] - found["eval_rejected_logp_start"])
        )
    fall = found.get("eval_chosen_logp_start", 0.0) - found.get("eval_chosen_logp", 0.0)
    if fall > recipe.chosen_fall:
        report(fallen(fall, recipe.chosen_fall, "on held-out rows"))
    return found


def fallen(fall: float, bound: float, when: str) -> str:
    """The warning that the chosen answers have become less likely too, by ``fall`` nats."""
    return (
        f"warning: {when} the chosen answers' mean log-probability is {fall:.1f} nats under its start "
        f"(bound: {bound:g}), so the better answers are unlearned with the worse; a lower learning_rate, a "
        "higher beta or an sft_weight usually holds them"
    )


def _both(rows: PairRows | LabelledRows) -> dict[str, TokenRows]:
    if isinstance(rows, PairRows):
        return {"chosen": rows.chosen, "rejected": rows.rejected}
    return {
        "chosen": rows.rows.take(np.flatnonzero(rows.good)),
        "rejected": rows.rows.take(np.flatnonzero(~rows.good)),
    }
