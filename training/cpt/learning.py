"""How a base learns in cpt, as a run calls it: nothing heavy is imported before it is needed."""

from __future__ import annotations

from typing import Any

from training.cpt import mixture
from training.cpt.mixture import Mixture
from training.data.preparing.collection import Report
from training.recipe import CptRecipe
from training.sft import learning
from training.trainers.supervised import Given

PANELS = learning.PANELS
prepare = mixture.prepared


def trainer(recipe: CptRecipe, given: Given) -> Any:
    """TRL's trainer of the texts, packed into blocks."""
    from training.cpt import measuring

    return measuring.build(recipe, given)


def evaluate(recipe: CptRecipe, training: Any, prepared: Mixture, report: Report) -> dict[str, float]:
    """Gain and forgetting of the weights as they are served; the table and the plot are drawn."""
    from training.cpt import measuring

    return measuring.close(recipe, training, report)
