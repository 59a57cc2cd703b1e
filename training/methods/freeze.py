"""Which weights of a base learn, where not all do."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from training.errors import BaseError
from training.recipe import Freeze

_LAYER = re.compile(r"\.layers\.(\d+)\.")


def chosen(model: Any, plan: Freeze, key: str = "freeze") -> set[str]:
    """The names of the weights that ``plan``, found in the recipe at ``key``, lets learn.

    Raises:
        BaseError: there are none, or fewer layers than it says.
    """
    layers = int(model.config.get_text_config().num_hidden_layers)
    for name, wanted_layers in (("learn_last", plan.learn_last), ("learn_first", plan.learn_first)):
        if wanted_layers is not None and wanted_layers > layers:
            raise BaseError(f"{key}.{name}: {wanted_layers} layers, and the base has {layers}")
    wanted = re.compile(plan.learn or "")
    found = set()
    for name, _ in model.named_parameters():
        if plan.learn is not None:
            learns = wanted.search(name) is not None
        else:
            match = _LAYER.search(name)
            layer = int(match[1]) if match else -1
            first = 0 if plan.learn_first else layers - (plan.learn_last or 0)
            end = plan.learn_first or layers
            learns = match is not None and first <= layer < end
        if learns:
            found.add(name)
    if not found:
        names = ", ".join(name for name, _ in list(model.named_parameters())[:3])
        raise BaseError(f"{key} leaves no weight of this base to learn; its weights are {names}, ...")
    return found


def apply(model: Any, names: Collection[str]) -> None:
    """Let the weights called ``names`` learn, and no others."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in names)
