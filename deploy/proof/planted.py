"""Candidates that are bad in one known way, made from the demo's carried adapters, and good ones.

A candidate is a function that writes an artefact into a folder that is not there yet, and gives the folder.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save_file

from deploy.proof.served import HOME
from pointsman.artefact import CONFIG, WEIGHTS, read_manifest, write_manifest

Tensors = dict[str, torch.Tensor]
Plant = Callable[[Path], Path]
CARRIED = HOME / "adapters"
_LAYER = re.compile(r"\.layers\.(\d+)\.")
_RANK = 16  # the most that the demo's engine takes


def good(folder: Path, seed: int = 0) -> Path:
    """The live version with each number a thousandth off: another version that answers the same."""

    def shaken(tensors: Tensors) -> Tensors:
        random = torch.Generator().manual_seed(seed)
        return {
            name: tensor * (1 + 1e-3 * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
            for name, tensor in tensors.items()
        }

    return changed(folder, shaken)


def as_carried(folder: Path) -> Path:
    """The live version itself."""
    return changed(folder, lambda tensors: tensors)


def turned(folder: Path, seed: int = 0) -> Path:
    """The same product of A and B by other factors: the space of the rank is rotated."""

    def rotated(tensors: Tensors) -> Tensors:
        random, found = torch.Generator().manual_seed(seed), {}
        for name in sorted(tensors):
            if "lora_A" not in name:
                continue
            a, b = tensors[name], tensors[other := name.replace("lora_A", "lora_B")]
            q, _ = torch.linalg.qr(torch.randn(len(a), len(a), generator=random, dtype=torch.float64))
            found[name] = (q @ a.double()).to(a.dtype)
            found[other] = (b.double() @ q.T).to(b.dtype)
        return found

    return changed(folder, rotated)


def rescaled(folder: Path, factor: float) -> Path:
    """The same product: A is so many times larger and B smaller."""
    return changed(folder, lambda ts: {n: t * factor if "lora_A" in n else t / factor for n, t in ts.items()})


def stronger(folder: Path, factor: float) -> Path:
    """The whole change that the adapter makes is so many times larger."""
    return changed(folder, lambda ts: {n: t * factor if "lora_B" in n else t for n, t in ts.items()})


def padded(folder: Path, rank: int = _RANK) -> Path:
    """Its rank is larger; the added columns are zero, and alpha grows with it."""

    def wider(tensors: Tensors) -> Tensors:
        found = {}
        for name, tensor in tensors.items():
            shape = (rank, tensor.shape[1]) if "lora_A" in name else (tensor.shape[0], rank)
            found[name] = torch.zeros(shape, dtype=tensor.dtype)
            found[name][: tensor.shape[0], : tensor.shape[1]] = tensor
        return found

    config = json.loads((CARRIED / "support" / CONFIG).read_text("utf-8"))
    alpha = config["lora_alpha"] * rank / config["r"]
    return configured(changed(folder, wider), r=rank, lora_alpha=alpha)


def not_a_number(folder: Path, value: float = torch.nan) -> Path:
    """One matrix holds nothing but ``value``."""

    def spoiled(tensors: Tensors) -> Tensors:
        name = sorted(tensors)[7]
        return tensors | {name: torch.full_like(tensors[name], value)}

    return changed(folder, spoiled)


def other_identity(folder: Path, part: str) -> Path:
    """Trained on another base, with another tokenizer or another chat template."""
    changed(folder, lambda tensors: tensors)
    manifest = read_manifest(folder)
    assert manifest.base is not None
    other = manifest.base.model_copy(update={part: "0" * 64})
    write_manifest(folder, manifest.model_copy(update={"base": other}))
    return folder


def configured(folder: Path, **changes: Any) -> Path:
    """An artefact whose config says something else."""
    if not folder.exists():
        changed(folder, lambda tensors: tensors)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | changes), "utf-8")
    return folder


def without_half(folder: Path) -> Path:
    """The B of one layer is missing."""
    return changed(folder, lambda ts: {n: t for n, t in ts.items() if n != max(ts)})


def for_a_wider_base(folder: Path) -> Path:
    """Its matrices belong to a base of twice the width."""
    return changed(folder, lambda ts: {n: torch.cat([t, t], int("lora_A" in n)) for n, t in ts.items()})


def pickled(folder: Path) -> Path:
    """A pickle under the name of the safetensors file."""
    changed(folder, lambda tensors: tensors)
    torch.save(load((folder / WEIGHTS).read_bytes()), folder / WEIGHTS)
    return folder


def fading(folder: Path, factor: float) -> Path:
    """Every B is so many times smaller."""
    return changed(folder, lambda ts: {n: t if "lora_A" in n else t * factor for n, t in ts.items()})


def shuffled(folder: Path) -> Path:
    """The rows of every B in another order, as if learned for other outputs."""

    def mixed(tensors: Tensors) -> Tensors:
        random = torch.Generator().manual_seed(2)
        return {
            name: tensor[torch.randperm(len(tensor), generator=random)] if "lora_B" in name else tensor
            for name, tensor in tensors.items()
        }

    return changed(folder, mixed)


def upside_down(folder: Path) -> Path:
    """The first layer's matrices in the last layer, and so on: names that were counted the other way."""

    def turned_over(tensors: Tensors) -> Tensors:
        last = max(int(_LAYER.findall(name)[0]) for name in tensors)
        return {
            _LAYER.sub(lambda found: f".layers.{last - int(found[1])}.", name): tensor
            for name, tensor in tensors.items()
        }

    return changed(folder, turned_over)


def noise(
    folder: Path, share: float = 1.0, *, seed: int = 1, origin: str = "support", alias: str = "support"
) -> Path:
    """Noise in every matrix, ``share`` of the weights' own deviation."""

    def noisy(tensors: Tensors) -> Tensors:
        random = torch.Generator().manual_seed(seed)
        return {
            name: tensor
            + (share * tensor.float().std() * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
            for name, tensor in tensors.items()
        }

    return changed(folder, noisy, origin, alias)


def another_job(folder: Path, origin: str) -> Path:
    """Another carried adapter under the help desk's alias."""
    return changed(folder, lambda tensors: tensors, origin)


def changed(
    folder: Path, change: Callable[[Tensors], Tensors], origin: str = "support", alias: str = "support"
) -> Path:
    """The carried adapter ``origin`` with other weights, for ``alias``."""
    shutil.copytree(CARRIED / origin, folder)
    save_file(
        {name: tensor.contiguous() for name, tensor in change(load((folder / WEIGHTS).read_bytes())).items()},
        folder / WEIGHTS,
        metadata={"format": "pt"},
    )
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"alias": alias}))
    return folder


# what each must be refused for: words of the problem, by who finds it
CHECKED: Mapping[str, tuple[Plant, str]] = {
    "NaN in a layer": (not_a_number, "holds NaN or infinity"),
    "infinity in a layer": (partial(not_a_number, value=torch.inf), "holds NaN or infinity"),
    "over-rank": (partial(padded, rank=128), "r is 128, the engine was started for ranks up to 16"),
    "another base": (partial(other_identity, part="weights"), "it was trained on another base"),
    "another tokenizer": (partial(other_identity, part="tokenizer"), "with another tokenizer.json"),
    "another template": (partial(other_identity, part="chat_template"), "with another chat template"),
    "DoRA": (partial(configured, use_dora=True), "use_dora is true"),
    "a bias": (partial(configured, bias="all"), 'bias is "all"'),
    "a trained output layer": (partial(configured, modules_to_save=["lm_head"]), "modules_to_save is"),
    "half a pair": (without_half, "half a pair of matrices"),
    "a wider base": (for_a_wider_base, "shapes that fit neither the base nor"),
    "a pickle": (pickled, "it is a pickle"),
    "no effect": (partial(fading, factor=0), "A or B is zero in every layer"),
    "overflow": (partial(stronger, factor=1e36), "largest A · largest B · lora_alpha over 1e+06"),
}
PROBED: Mapping[str, tuple[Plant, str]] = {
    "too weak to change a number": (partial(fading, factor=1e-30), "it has no effect"),
}
JUDGED: Mapping[str, tuple[Plant, str]] = {  # the measure that must say so
    "noise": (noise, "answers.tracking.correct"),
    "shuffled": (shuffled, "answers.customs.correct"),
    "layers upside down": (upside_down, "answers.customs.correct"),
    "20 times as strong": (partial(stronger, factor=20), "answers.tracking.stops"),
    "the other way": (partial(stronger, factor=-1), "answers.tracking.correct"),
    "refuses everything": (partial(another_job, origin="chat"), "answers.customs.correct"),
    "extracts orders": (partial(another_job, origin="extract"), "answers.customs.correct"),
    "does sums": (partial(another_job, origin="math"), "answers.customs.correct"),
}
GOOD: Mapping[str, Plant] = {
    **{f"shaken, {seed}": partial(good, seed=seed) for seed in range(6)},
    **{f"turned, {seed}": partial(turned, seed=seed) for seed in range(5)},
    **{f"factors by {factor}": partial(rescaled, factor=factor) for factor in (0.25, 0.5, 2.0, 4.0)},
    **{f"{factor} times as strong": partial(stronger, factor=factor) for factor in (0.98, 0.99, 1.01, 1.02)},
    "rank 16": padded,
}
