"""What a step leaves to the next one: the weights that learn, the directions, and the optimiser's moments."""

from __future__ import annotations

from pathlib import Path

import torch

from training.routing.learner import Learner
from training.runs import checkpoint

MOMENTS = "moments"


def save(learner: Learner, checkpoints: Path, step: int) -> None:
    """Write ``checkpoint-<step>``; raises as :func:`training.runs.checkpoint.write` does."""
    checkpoint.write(checkpoints, step, _kept(learner) | checkpoint.moments(MOMENTS, learner.optimiser))


def load(learner: Learner, folder: Path) -> None:
    """Bring ``learner`` to where it was when ``folder`` was saved."""
    tensors = checkpoint.read(folder, learner.model.device)
    with torch.no_grad():
        for name, kept in _kept(learner).items():
            kept.copy_(tensors[name])
    checkpoint.take_moments(MOMENTS, learner.optimiser, tensors)


def _kept(learner: Learner) -> checkpoint.Tensors:
    """Every tensor that steps change."""
    return {f"weights.{name}": p for name, p in learner.weights.items()} | {"directions": learner.directions}
