"""Weight changes as low-rank matrices: the best of a rank by singular values (Eckart and Young)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Matrices = dict[str, tuple[Tensor, Tensor]]  # module → A (r, in), B (out, r), ΔW = B A
EMBEDDINGS = ("embed_tokens", "lm_head")  # no adapter on these is served


@dataclass(frozen=True, slots=True)
class LowRank:
    """Changes of linear layers in low rank."""

    matrices: Matrices
    error: float  # ‖ΔW - BA‖ / ‖ΔW‖, Frobenius, over all linear layers
    left_out: int  # weights that changed and are in no linear layer, such as norms and embeddings

    @property
    def rank(self) -> int:
        """The largest of all matrices'; no layer has a higher one than it is wide."""
        return max(int(a.shape[0]) for a, _ in self.matrices.values())


def of_models(base: Any, tuned: Any, rank: int) -> LowRank:
    """What ``tuned`` changed in ``base``, in rank ``rank``; both have the same weights by name."""
    before = base.state_dict()
    changes: dict[str, Tensor] = {}
    left_out = 0
    for name, weight in tuned.named_parameters():  # of weights that are tied, one
        change = weight.detach().double() - before[name].double()
        if not change.any():
            continue
        module, _, last = name.rpartition(".")
        if last == "weight" and change.ndim == 2 and module.rpartition(".")[2] not in EMBEDDINGS:
            changes[module] = change
        else:
            left_out += change.numel()
    return of_changes(changes, rank, left_out)


def of_changes(changes: Mapping[str, Tensor], rank: int, left_out: int = 0) -> LowRank:
    """Changes ΔW (out, in) of modules, in rank ``rank``, singular values shared evenly by A and B."""
    found: Matrices = {}
    missed = whole = 0.0
    for module, change in changes.items():
        u, values, v = torch.linalg.svd(change.double(), full_matrices=False)
        kept = min(rank, len(values))
        root = values[:kept].sqrt()
        found[module] = (root[:, None] * v[:kept], u[:, :kept] * root)
        missed += float((values[kept:] ** 2).sum())
        whole += float((values**2).sum())
    return LowRank(found, math.sqrt(missed / whole) if whole else 0.0, left_out)


def between(start: Matrices, end: Matrices, rank: int | None) -> LowRank:
    """``B A`` of ``end`` less that of ``start``: of twice their rank without loss, or of a lower ``rank``.

    The sum is taken by singular values, as B and A side by side would cancel each other in bfloat16.
    """
    changes = {
        name: b.double() @ a.double() - start[name][1].double() @ start[name][0].double()
        for name, (a, b) in end.items()
    }
    return of_changes(changes, rank or 2 * max(a.shape[0] for a, _ in end.values()))
