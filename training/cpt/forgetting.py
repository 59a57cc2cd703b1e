"""Stops a run that forgets too much, and gives back the weights of its last evaluation within the bound."""

from __future__ import annotations

import os
from typing import Any

from transformers import TrainerCallback

from training.cpt.heldout import Text
from training.errors import ForgotTooMuch
from training.runs import processes
from training.runs.folder import RunFolder

_STEP = "step"  # in the metadata of the kept weights


class Bound(TrainerCallback):  # type: ignore[misc]
    """Looks at every evaluation: keeps the weights that learn, or stops the run.

    No checkpoint is written where it stops, so a run that is killed on its way to the artefact comes to the
    same end.
    """

    def __init__(self, bound: float, run: RunFolder, learning: frozenset[str]) -> None:
        self.bound, self.learning = bound, learning
        self.stopped: int | None = None  # the step at which it was passed
        self._keeper = run.keeper
        self._kept = run.path / "within-bound.safetensors"

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Forget what another beginning has kept."""
        if self._keeper and not state.global_step:
            self._kept.unlink(missing_ok=True)

    def judge(self, forgetting: float, model: Any, state: Any, control: Any) -> None:
        """Keep ``model`` or stop its training; ``forgetting``: nats per token of the general text."""
        if forgetting <= self.bound:
            if self._keeper:
                self._keep(model, state.global_step)
        else:
            self.stopped = state.global_step
            control.should_training_stop, control.should_save = True, False

    def restore(self, model: Any, forgetting: float) -> int:
        """Give ``model`` the weights that were kept; the step that they are of.

        Raises:
            ForgotTooMuch: the first evaluation was beyond the bound already.
        """
        from safetensors import safe_open

        processes.wait()  # until it is whole
        if not self._kept.is_file():
            raise ForgotTooMuch(
                f"the general text is {forgetting:.4f} nats per token worse at the first evaluation, more "
                f"than probe.max_forgetting ({self.bound:g}); lower train.learning_rate, raise replay.share, "
                "let fewer weights learn, or evaluate earlier (train.evaluate_every)"
            )
        weights = dict(model.named_parameters())
        with safe_open(self._kept, "pt") as file:
            step = int(file.metadata()[_STEP])
            for name in file.keys():  # noqa: SIM118  (a file, no mapping)
                weights[name].data.copy_(file.get_tensor(name))
        return step

    def _keep(self, model: Any, step: int) -> None:
        from safetensors.torch import save_file

        weights = {
            name: weight.detach().cpu().contiguous()
            for name, weight in model.named_parameters()
            if name in self.learning
        }
        growing = self._kept.with_suffix(".growing")
        save_file(weights, growing, metadata={_STEP: str(step)})
        os.replace(growing, self._kept)


def pooled(texts: list[Text], nats: dict[str, float]) -> float:
    """Nats per token of several texts, each by its length; ``nats``: name → nats per token."""
    tokens = sum(text.base_tokens for text in texts)
    return sum(nats[text.name] * text.base_tokens for text in texts) / tokens
