"""Which weights learn at which step: layers that are released on the way (gradual unfreezing, ULMFiT,
arXiv:1801.06146, section 3.3).

The optimiser knows every weight that will ever learn; one that is not released yet has no gradient, so AdamW
leaves it alone, its decay included, and begins to count its steps with the first gradient.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from training.errors import BaseError
from training.methods import freeze
from training.recipe import CptRecipe


class Schedule(TrainerCallback):  # type: ignore[misc]
    """Releases the weights of ``model`` as ``recipe`` says; a resumed run has those of its step.

    Raises:
        BaseError: a release names no weight, or none that does not learn already.
    """

    def __init__(self, recipe: CptRecipe, model: Any, always: frozenset[str]) -> None:
        self.model = model
        assert recipe.freeze
        names = freeze.chosen(model, recipe.freeze) | always
        self._stages = [(0, frozenset(names))]
        for number, release in enumerate(recipe.unfreeze):
            more = freeze.chosen(model, release, f"unfreeze.{number}")
            if more <= names:
                raise BaseError(
                    f"unfreeze.{number}: at step {release.step} nothing new is released, all of it learns"
                )
            names = names | more
            self._stages.append((release.step, frozenset(names)))

    @property
    def all(self) -> frozenset[str]:
        """The names of all weights that ever learn."""
        return self._stages[-1][1]

    def at(self, step: int) -> frozenset[str]:
        """The names of the weights that learn after ``step`` steps."""
        return next(names for first, names in reversed(self._stages) if first <= step)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The weights of the step that training begins or goes on with."""
        freeze.apply(self.model, self.at(state.global_step))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Release what is due."""
        if any(step == state.global_step for step, _ in self._stages):
            freeze.apply(self.model, self.at(state.global_step))
