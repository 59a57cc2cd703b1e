"""A step's state on disk, of the stages with a loop of their own: tensors, an optimiser's moments, numbers.

::

    checkpoint-<step>/
      state.safetensors    tensors and moments, as they are
      state.json           numbers, where a stage has any
      complete             the rest is whole

There is no random state in it: all chance follows from the recipe's seed and the step's number. Knows nothing
of what learns; that is for each stage's own ``checkpoint`` to say.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.runs import whole
from training.runs.folder import COMPLETE

TENSORS, NUMBERS = "state.safetensors", "state.json"
KEPT = 2

Tensors = dict[str, torch.Tensor]


def write(
    checkpoints: Path, step: int, tensors: Tensors, numbers: Mapping[str, object] | None = None
) -> None:
    """Write ``checkpoint-<step>``; older ones are removed once it is whole, but for the one before it.

    Raises:
        OSError: it can't be written, as when the disk is full; the ones before it are untouched.
    """
    folder = checkpoints / f"checkpoint-{step}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    if numbers is not None:
        (folder / NUMBERS).write_text(json.dumps(numbers), encoding="utf-8")
    for file in sorted(folder.iterdir()):
        with file.open("rb") as written:
            os.fsync(written.fileno())
    whole.mark(folder)
    steps = sorted(int(path.parent.name.rpartition("-")[2]) for path in checkpoints.glob(f"*/{COMPLETE}"))
    for old in steps[:-KEPT]:
        shutil.rmtree(checkpoints / f"checkpoint-{old}")


def read(folder: Path, device: torch.device) -> Tensors:
    """The tensors of the checkpoint ``folder``, on ``device``."""
    tensors: Tensors = load_file(folder / TENSORS, device=str(device))
    return tensors


def read_numbers(folder: Path) -> dict[str, Any]:
    """The numbers beside them."""
    numbers: dict[str, Any] = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    return numbers


def moments(name: str, optimiser: torch.optim.Optimizer) -> Tensors:
    """The moments of ``optimiser``, as tensors to :func:`write`: ``<name>.<parameter>.<moment>``."""
    return {
        f"{name}.{number}.{moment}": tensor
        for number, state in optimiser.state_dict()["state"].items()
        for moment, tensor in state.items()
    }


def take_moments(name: str, optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give ``optimiser`` the moments that :func:`moments` took from it; its groups stay as they are."""
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        if key.startswith(f"{name}."):
            _, number, moment = key.split(".")
            # AdamW counts its steps on the CPU
            state.setdefault(int(number), {})[moment] = tensor.cpu() if moment == "step" else tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
