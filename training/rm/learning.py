"""How a reward model learns and is measured: Bradley-Terry on pairs, held-out accuracy, calibration, length.

The loss is -log sigmoid(r(chosen) - r(rejected) - margin): Bradley and Terry (1952) as in Ouyang et al.
(2022) eq. 1, with the margin of Touvron et al. (2023, Llama 2) eq. 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.preparing.collection import Prepared, Report
from training.data.preparing.prepare_pairs import pairs as prepare
from training.data.tokens.token_pairs import PairRows
from training.recipe import RmRecipe
from training.rm import stage
from training.runs.curves import Panel
from training.trainers.supervised import Given

PANELS = (
    Panel("nats per pair", {"loss": "-", "eval_loss": "o--"}, height=2),
    Panel("accuracy", {"accuracy": "-", "eval_accuracy": "o--"}, height=2),
    Panel("margin", {"margin": "-", "eval_margin": "o--"}, height=2),
    Panel("learning rate", {"learning_rate": "-"}),
)
BINS = 10  # of the calibration

__all__ = ["PANELS", "calibration_error", "correlation", "evaluate", "prepare", "trainer"]


def trainer(recipe: RmRecipe, given: Given) -> Any:
    """TRL's trainer of the pairs."""
    from training.rm import trainer as reward_trainer

    return reward_trainer.build(recipe, given)


def evaluate(
    recipe: RmRecipe, training: Any, prepared: Prepared[PairRows], report: Report
) -> dict[str, float]:
    """Held-out loss, accuracy, calibration and length bias of the weights as they are saved."""
    training.model = stage.served(recipe, training.model, training.processing_class)
    loss = float(training.evaluate()["eval_loss"])
    chosen, rejected = np.concatenate(training.scores, axis=1)
    found = {"eval_loss": loss, **measure(chosen, rejected, prepared.validation)}
    shorter = found.get("eval_accuracy_chosen_shorter")
    report(
        f"{recipe.name}: held-out accuracy {found['eval_accuracy']:.3f}"
        + ("" if shorter is None else f" ({shorter:.3f} where the chosen answer is the shorter)")
        + f", calibration error {found['eval_calibration_error']:.3f}"
    )
    return found


def measure(chosen: NDArray[np.float64], rejected: NDArray[np.float64], rows: PairRows) -> dict[str, float]:
    """What scores (N,) of the pairs ``rows`` say of the model; a number that is not defined is left out."""
    margins = chosen - rejected
    lengths, other = _answer_lengths(rows)
    shorter = lengths < other
    found = {
        "eval_accuracy": float((margins > 0).mean()),
        "eval_margin": float(margins.mean()),
        "eval_calibration_error": calibration_error(margins),
        "eval_score_mean": float(np.concatenate([chosen, rejected]).mean()),
        "eval_score_std": float(np.concatenate([chosen, rejected]).std()),
    }
    if shorter.any():
        found["eval_accuracy_chosen_shorter"] = float((margins[shorter] > 0).mean())
    bias = correlation(np.concatenate([chosen, rejected]), np.concatenate([lengths, other]))
    if bias is not None:
        found["eval_length_correlation"] = bias
    return found


def calibration_error(margins: NDArray[np.float64], bins: int = BINS) -> float:
    """Expected calibration error of the preference probability sigmoid(margin), in [0, 1].

    The probability that the model gives to the answer it prefers lies in [0.5, 1]; in ``bins`` of equal
    width there, the mean of these probabilities is compared with how often the preferred answer is the
    chosen one, weighted by the pairs in the bin: Guo et al. (2017) eq. 3.
    """
    confidence = 1 / (1 + np.exp(-np.abs(margins)))
    right = margins > 0
    number = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[number == i].mean() - right[number == i].mean()) * (number == i).mean()
        for i in np.unique(number)
    ]
    return float(sum(gaps))


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Pearson's, of two series (N,); None where one of them does not vary."""
    if not one.std() or not other.std():
        return None
    return float(((one - one.mean()) * (other - other.mean())).mean() / (one.std() * other.std()))


def _answer_lengths(rows: PairRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tokens of the chosen and of the rejected answers, (N,) each."""
    chosen, rejected = (
        np.add.reduceat(part.loss_mask.astype(np.float64), part.starts)
        for part in (rows.chosen, rows.rejected)
    )
    return chosen, rejected
