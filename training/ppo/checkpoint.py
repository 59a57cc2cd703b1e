"""What a step leaves to the next one: weights, optimisers, the coefficient β and the scale of scores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from training.ppo.learner import Learner
from training.ppo.scores import RunningScale
from training.runs import checkpoint


def save(learner: Learner, checkpoints: Path, step: int) -> None:
    """Write ``checkpoint-<step>``; raises as :func:`training.runs.checkpoint.write` does."""
    tensors: checkpoint.Tensors = {f"weights.{name}": p for name, p in learner.parameters()}
    for name, optimiser in _optimisers(learner).items():
        tensors |= checkpoint.moments(name, optimiser)
    numbers = {"coefficient": learner.controller.coefficient, "scale": asdict(learner.scale)}
    checkpoint.write(checkpoints, step, tensors, numbers)


def load(learner: Learner, folder: Path) -> None:
    """Bring ``learner`` to where it was when ``folder`` was saved."""
    tensors = checkpoint.read(folder, learner.policy.device)
    with torch.no_grad():
        for name, parameter in learner.parameters():
            parameter.copy_(tensors[f"weights.{name}"])
    for name, optimiser in _optimisers(learner).items():
        checkpoint.take_moments(name, optimiser, tensors)
    numbers = checkpoint.read_numbers(folder)
    learner.controller.coefficient = numbers["coefficient"]
    learner.scale = RunningScale(**numbers["scale"])


def _optimisers(learner: Learner) -> dict[str, torch.optim.Optimizer]:
    return {"policy_optimiser": learner.policy_optimiser, "value_optimiser": learner.value_optimiser}
