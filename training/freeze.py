"""Which weights of a base learn, where not all do."""

from __future__ import annotations

import re
from typing import Any

from training.errors import BaseError
from training.recipe import Freeze

_LAYER = re.compile(r"\.layers\.(\d+)\.")


def apply(model: Any, plan: Freeze) -> None:
    """Let the weights that ``plan`` names learn, and no others.

    Raises:
        BaseError: it names none, or a broken expression.
    """
    layers = model.config.get_text_config().num_hidden_layers
    chosen = 0
    try:
        wanted = re.compile(plan.learn or "")
    except re.error as exc:
        raise BaseError(f"freeze.learn {plan.learn!r} is no regular expression: {exc}") from exc
    for name, weight in model.named_parameters():
        if plan.learn is not None:
            learns = wanted.search(name) is not None
        else:
            match = _LAYER.search(name)
            layer = int(match[1]) if match else -1
            first = 0 if plan.learn_first else layers - (plan.learn_last or 0)
            end = plan.learn_first or layers
            learns = match is not None and first <= layer < end
        weight.requires_grad_(learns)
        chosen += learns
    if not chosen:
        names = ", ".join(name for name, _ in list(model.named_parameters())[:3])
        raise BaseError(f"freeze leaves no weight of this base to learn; its weights are {names}, ...")
