"""What a step leaves to the next one, on disk: what learns, and the optimiser's moments.

::

    checkpoint-<step>/
      state.safetensors
      complete             the rest is whole

There is no random state in it: all chance follows from the recipe's seed and the step's number.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.routing.learner import Learner
from training.runfolder import COMPLETE

STATE = "state.safetensors"
KEPT = 2


def save(learner: Learner, checkpoints: Path, step: int) -> None:
    """Write ``checkpoint-<step>``; older ones are removed once it is whole, but for the one before it."""
    folder = checkpoints / f"checkpoint-{step}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    moments = {
        f"moments.{number}.{name}": tensor
        for number, state in learner.optimiser.state_dict()["state"].items()
        for name, tensor in state.items()
    }
    whole = {name: tensor.detach().contiguous() for name, tensor in (_kept(learner) | moments).items()}
    save_file(whole, folder / STATE)
    with (folder / STATE).open("rb") as file:
        os.fsync(file.fileno())
    (folder / COMPLETE).touch()
    done = sorted(int(path.parent.name.rpartition("-")[2]) for path in checkpoints.glob(f"*/{COMPLETE}"))
    for old in done[:-KEPT]:
        shutil.rmtree(checkpoints / f"checkpoint-{old}")


def load(learner: Learner, folder: Path) -> None:
    """Bring ``learner`` to where it was when ``folder`` was saved."""
    tensors = load_file(folder / STATE, device=str(learner.model.device))
    with torch.no_grad():
        for name, kept in _kept(learner).items():
            kept.copy_(tensors[name])
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith("moments."):
            _, number, name = key.split(".")
            # AdamW counts its steps on the CPU
            state.setdefault(int(number), {})[name] = tensor.cpu() if name == "step" else tensor
    groups = learner.optimiser.state_dict()["param_groups"]
    learner.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _kept(learner: Learner) -> dict[str, torch.Tensor]:
    """Every tensor that steps change."""
    return {f"weights.{name}": p for name, p in learner.weights.items()} | {"directions": learner.directions}
