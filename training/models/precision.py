"""The precision of a run: which weights are held in bfloat16, and which products are of it."""

from __future__ import annotations

import os
from typing import Any, Literal

ACCELERATE = (
    "ACCELERATE_MIXED_PRECISION"  # what a configuration of accelerate tells the processes that it starts
)
Precision = Literal["auto", "bf16", "fp32"]


def is_bf16(precision: Precision) -> bool:
    """Whether products are of bfloat16 on this machine."""
    import torch

    return precision == "bf16" or (
        precision == "auto" and (torch.cuda.is_available() or _cpu_multiplies_bf16())
    )


def is_policy_bf16(precision: Precision) -> bool:
    """The same of a policy, which learns from differences of what it samples: auto is float32 on any CPU."""
    import torch

    return precision == "bf16" or (precision == "auto" and torch.cuda.is_available())


def overruled(*, bf16: bool) -> str:
    """Take from the environment what accelerate would follow in place of the recipe; the warning, or ""."""
    asked, ours = os.environ.get(ACCELERATE, "no"), "bf16" if bf16 else "no"
    if asked in ("no", ours):
        return ""
    os.environ[ACCELERATE] = ours
    return (
        f"warning: {ACCELERATE} is {asked} (mixed_precision in a configuration of accelerate), and the "
        f"recipe's train.precision, by which this run is {'bf16' if bf16 else 'fp32'}, is what counts"
    )


def hold(model: Any) -> Any:
    """``model`` with its frozen weights in bfloat16; those that learn stay float32.

    Autocast would round the same weights at every use of them, and what lies between two products, the norms
    and sums, would be float32.
    """
    import torch

    for weight in model.parameters():
        if weight.dtype == torch.float32 and not weight.requires_grad:
            weight.data = weight.data.to(torch.bfloat16)
    return model


def _cpu_multiplies_bf16() -> bool:
    """Whether this CPU has AMX: its bf16 products are several times as fast as fp32's; others' are slower."""
    import torch

    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
