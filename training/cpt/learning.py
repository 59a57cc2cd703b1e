"""How a base learns in cpt, as a run calls it: nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training import likelihood
from training.collection import Report
from training.cpt import mixture
from training.cpt.mixture import Mixture
from training.recipe import CptRecipe

PANELS = likelihood.PANELS
prepare = mixture.prepared


def trainer(
    recipe: CptRecipe,
    model: Any,
    tokenizer: Any,
    datasets: tuple[Any, Any],
    *,
    prepared: Mixture,
    checkpoints: Path,
    callbacks: Sequence[Any],
    report: Report,
) -> Any:
    """The trainer of the blocks in ``datasets``, training and validation."""
    from training.cpt import measuring

    return measuring.build(
        recipe,
        model,
        tokenizer,
        datasets,
        prepared=prepared,
        checkpoints=checkpoints,
        callbacks=callbacks,
        report=report,
    )


def evaluate(recipe: CptRecipe, training: Any, prepared: Mixture, report: Report) -> dict[str, float]:
    """Gain and forgetting of the weights as they are served; the table and the plot are drawn."""
    from training.cpt import measuring

    return measuring.close(recipe, training, report)
