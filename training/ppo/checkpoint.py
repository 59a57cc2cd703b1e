"""What a step leaves to the next one, on disk: weights, optimisers, controller and running scale.

::

    checkpoint-<step>/
      state.safetensors    trained tensors and the optimisers' moments, float32
      state.json           the coefficient β and the running scale of the scores
      complete             the rest is whole

There is no random state in it: all chance follows from the recipe's seed and the step's number.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.ppo.learner import Learner
from training.ppo.scores import RunningScale
from training.runfolder import COMPLETE

TENSORS, NUMBERS = "state.safetensors", "state.json"
KEPT = 2


def save(learner: Learner, checkpoints: Path, step: int) -> None:
    """Write ``checkpoint-<step>``; older ones are removed once it is whole, but for the one before it.

    Raises:
        OSError: it can't be written, as when the disk is full; the ones before it are untouched.
    """
    folder = checkpoints / f"checkpoint-{step}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(_tensors(learner), folder / TENSORS)
    numbers = {"coefficient": learner.controller.coefficient, "scale": asdict(learner.scale)}
    (folder / NUMBERS).write_text(json.dumps(numbers), encoding="utf-8")
    for name in (TENSORS, NUMBERS):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    (folder / COMPLETE).touch()
    whole = sorted(int(path.parent.name.rpartition("-")[2]) for path in checkpoints.glob(f"*/{COMPLETE}"))
    for old in whole[:-KEPT]:
        shutil.rmtree(checkpoints / f"checkpoint-{old}")


def load(learner: Learner, folder: Path) -> None:
    """Bring ``learner`` to where it was when ``folder`` was saved."""
    tensors = load_file(folder / TENSORS, device=str(learner.policy.device))
    with torch.no_grad():
        for name, parameter in learner.parameters():
            parameter.copy_(tensors[f"weights.{name}"])
    for name, optimiser in _optimisers(learner).items():
        state: dict[int, dict[str, Any]] = {}
        for key, tensor in tensors.items():
            if key.startswith(f"{name}."):
                _, number, moment = key.split(".")
                # AdamW counts its steps on the CPU
                state.setdefault(int(number), {})[moment] = tensor.cpu() if moment == "step" else tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    learner.controller.coefficient = numbers["coefficient"]
    learner.scale = RunningScale(**numbers["scale"])


def _tensors(learner: Learner) -> dict[str, torch.Tensor]:
    tensors = {f"weights.{name}": p.detach().contiguous() for name, p in learner.parameters()}
    for name, optimiser in _optimisers(learner).items():
        for number, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{number}.{moment}": t.contiguous() for moment, t in moments.items()}
    return tensors


def _optimisers(learner: Learner) -> dict[str, torch.optim.Optimizer]:
    return {"policy_optimiser": learner.policy_optimiser, "value_optimiser": learner.value_optimiser}
