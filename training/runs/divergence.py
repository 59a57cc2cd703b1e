"""Whether a run that ended with numbers has still gone astray, seen by its metrics."""

from __future__ import annotations

from collections.abc import Sequence

_RISE = 0.01  # of a held-out loss, which is measured on the same rows each time
_TIMES = 10  # a loss that rises by as much does not come from one batch of unlike rows


def warning(metrics: Sequence[dict[str, float]], eval_loss: float, learning_rate: float) -> str | None:
    """What is to be said of the run; None: nothing.

    Args:
        metrics: its lines, in their order; those of training have ``loss`` and ``grad_norm``, those of
            evaluations, of which the closing one is the last, ``eval_loss``.
        eval_loss: of the weights as they are saved, on held-out rows.
        learning_rate: the recipe's.
    """
    lines = [line for line in metrics if "loss" in line]
    first, worst = lines[0], max(lines, key=lambda line: line["loss"])
    if worst["loss"] > _TIMES * max(first["loss"], 1.0) and eval_loss > first["loss"]:
        return (
            f"the run has diverged: the loss was {first['loss']:.4g} at step {first['step']:g} and "
            f"{worst['loss']:.4g} at step {worst['step']:g}, and on held-out rows it is {eval_loss:.4g} in "
            f"the end; {_advice(learning_rate)}"
        )
    if still := stalled(lines, learning_rate, "no row has anything left to teach"):
        return still
    before = next(line for line in metrics if "eval_loss" in line)
    if eval_loss - before["eval_loss"] > _RISE * abs(before["eval_loss"]):
        return (
            f"the held-out loss ended above where it began: {before['eval_loss']:.4g} at step "
            f"{before['step']:g}, {eval_loss:.4g} in the end: either the run has learned its rows by heart, "
            f"and fewer steps or more rows help, or it has diverged; then {_advice(learning_rate)}"
        )
    return None


def stalled(metrics: Sequence[dict[str, float]], learning_rate: float, otherwise: str) -> str | None:
    """What is to be said of a run whose last gradients are all 0; None: nothing.

    Args:
        metrics: its lines, in their order; those of training have ``grad_norm``.
        learning_rate: the recipe's.
        otherwise: what it may be beside a run that has diverged.
    """
    lines = [line for line in metrics if "grad_norm" in line]
    learned = [number for number, line in enumerate(lines, 1) if line["grad_norm"] != 0]
    still = lines[max(learned, default=0) :]
    if still:
        return (
            f"the gradients are 0 from step {still[0]['step']:g} to the end, so nothing was learned "
            f"there: either {otherwise}, or the run has diverged; then {_advice(learning_rate)}"
        )
    return None


def _advice(learning_rate: float) -> str:
    return f"a lower learning_rate (now {learning_rate:g}) or a longer warmup usually helps"
