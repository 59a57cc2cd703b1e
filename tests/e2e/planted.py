"""Candidates that are bad in one known way, made from the help desk's carried adapter, and good ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from pointsman.artefact import CONFIG, WEIGHTS, read_manifest, write_manifest
from tests.e2e.demo import HOME

Tensors = dict[str, torch.Tensor]
CARRIED = HOME / "adapters"


def good(folder: Path, seed: int = 0) -> Path:
    """The live version with each number a thousandth off: another version that answers the same."""

    def shaken(tensors: Tensors) -> Tensors:
        random = torch.Generator().manual_seed(seed)
        return {
            name: tensor * (1 + 1e-3 * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
            for name, tensor in tensors.items()
        }

    return _changed(folder, shaken)


def not_a_number(folder: Path) -> Path:
    """NaN in one matrix."""

    def spoiled(tensors: Tensors) -> Tensors:
        name = sorted(tensors)[7]
        return tensors | {name: torch.full_like(tensors[name], torch.nan)}

    return _changed(folder, spoiled)


def over_rank(folder: Path) -> Path:
    """Its rank is 128: the engine takes 16. The added columns are zero."""

    def padded(tensors: Tensors) -> Tensors:
        found = {}
        for name, tensor in tensors.items():
            shape = (128, tensor.shape[1]) if "lora_A" in name else (tensor.shape[0], 128)
            found[name] = torch.zeros(shape, dtype=tensor.dtype)
            found[name][: tensor.shape[0], : tensor.shape[1]] = tensor
        return found

    _changed(folder, padded)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | {"r": 128}), "utf-8")
    return folder


def wrong_base(folder: Path) -> Path:
    """Trained on another revision of the base."""
    _changed(folder, lambda tensors: tensors)
    manifest = read_manifest(folder)
    assert manifest.base is not None
    other = manifest.base.model_copy(update={"weights": "0" * 64})
    write_manifest(folder, manifest.model_copy(update={"base": other}))
    return folder


def no_effect(folder: Path) -> Path:
    """Every B is zero."""
    return _changed(folder, lambda tensors: {n: t * ("lora_A" in n) for n, t in tensors.items()})


def noise(folder: Path, share: float = 1.0) -> Path:
    """As much noise as weights, in every matrix."""

    def noisy(tensors: Tensors) -> Tensors:
        random = torch.Generator().manual_seed(1)
        return {
            name: tensor
            + (share * tensor.float().std() * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
            for name, tensor in tensors.items()
        }

    return _changed(folder, noisy)


def refuses_everything(folder: Path) -> Path:
    """The adapter for what is out of scope, under the help desk's alias."""
    return _changed(folder, lambda tensors: tensors, "chat")


def another_job(folder: Path) -> Path:
    """The adapter that extracts orders, under the help desk's alias."""
    return _changed(folder, lambda tensors: tensors, "extract")


def _changed(folder: Path, change: Callable[[Tensors], Tensors], origin: str = "support") -> Path:
    shutil.copytree(CARRIED / origin, folder)
    save_file(
        {name: tensor.contiguous() for name, tensor in change(load_file(folder / WEIGHTS)).items()},
        folder / WEIGHTS,
        metadata={"format": "pt"},
    )
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"alias": "support"}))
    return folder
