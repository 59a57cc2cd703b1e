"""What a trainer does otherwise for an adapter on a base of 4 bits."""

from __future__ import annotations

from typing import Any

import torch


def optimiser(model: Any, *, paged: bool) -> dict[str, str]:
    """The paged optimiser, by TRL's names, where it is asked for and worth it; else nothing."""
    worth = paged and torch.cuda.is_available() and is_worth_paging(model)
    return {"optim": "paged_adamw_32bit"} if worth else {}


def is_worth_paging(model: Any) -> bool:
    """Whether AdamW's two numbers for each weight that learns take more than a hundredth of the GPU's memory.

    The paged optimiser waits for the GPU at every tensor, of which an adapter has hundreds.
    """
    state = 2 * 4 * sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return bool(state > torch.cuda.get_device_properties(0).total_memory / 100)


def learn_in_float32(model: Any) -> None:
    """Undo what TRL's trainers do as they are made: they make an adapter on such a base bfloat16."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
