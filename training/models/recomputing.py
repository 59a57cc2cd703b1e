"""Gradient checkpointing (arXiv:1604.06174): of each layer only its input is kept for the way back.

What is inside the layer is computed again when its gradient is wanted. transformers has this as a mode of its
models that looks at ``training``, in which a policy of ppo never is, as it must have no dropout. Here it
counts whether a gradient is wanted, so sampling, references and evaluation are as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from training.errors import BaseError


def use(model: Any) -> Any:
    """``model`` with layers that keep their input alone; same loss, same gradients.

    Raises:
        BaseError: transformers does not say which of its parts are layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise BaseError(
            "train.gradient_checkpointing: transformers can't do it with this base's architecture; "
            "leave it out"
        )
    for layer in layers:
        if getattr(layer.forward, "func", None) is not _forward:  # it may be in use already
            layer.forward = partial(_forward, layer.forward)
    return model


def _forward(ordinary: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return ordinary(*args, **kwargs)
    if "past_key_values" in kwargs:  # a cache that nobody reads, and that would be filled twice
        kwargs["past_key_values"] = None
    return checkpoint(ordinary, *args, use_reentrant=False, **kwargs)
