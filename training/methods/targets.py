"""Whether what a recipe says of an adapter's places is of this base: PEFT passes over what fits nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from training.errors import BaseError
from training.recipe import Lora


def refuse(model: Any, plan: Lora) -> None:
    """Look for the layers of ``model`` that ``plan`` names as targets.

    Raises:
        BaseError: one is no layer's, or the embeddings': an adapter on one of two tied matrices would change
            the other when it is merged (PEFT #2018), and none on either is served.
    """
    if plan.targets is None:
        return
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names: dict[str, bool] = {}  # the last part of a module's name → whether it holds embeddings
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        names[last] = names.get(last, False) or any(module is end for end in ends)
    problems = []
    if wrong := [target for target in plan.targets if names.get(target)]:
        problems.append(
            f"{', '.join(wrong)} holds the base's embeddings, on which no adapter is served, and which one "
            "would spoil where they are tied; take it out"
        )
    layers = [name for name, module in model.named_modules() if _is_layer(module) and not _scores(name)]
    if unknown := [repr(name) for name in plan.targets if not _ends_with(name, layers)]:
        problems.append(f"this base has no linear layer called {', '.join(unknown)}; it has {_linear(model)}")
    if problems:
        raise BaseError(f"lora.targets: {'; '.join(problems)}")


def refuse_idle(model: Any, plan: Lora) -> None:
    """Look for the adapted layers of ``model``, PEFT's, that ranks and alphas of ``plan`` are for.

    Raises:
        BaseError: a pattern is for none.
    """
    adapted = [name for name, layer in model.named_modules() if hasattr(layer, "lora_A")]
    problems = [
        f"lora.{key}: {pattern!r} is the name of no layer that the adapter is on; "
        f"one is {adapted[0].removeprefix('base_model.model.')}"
        for key in ("rank_pattern", "alpha_pattern")
        for pattern in getattr(plan, key)
        if not any(re.match(rf"(.*\.)?({pattern})$", name) for name in adapted)  # as PEFT does
    ]
    if problems:
        raise BaseError("; ".join(problems))


def _ends_with(target: str, names: Collection[str]) -> bool:
    return any(name == target or name.endswith(f".{target}") for name in names)


def _is_layer(module: Any) -> bool:
    """Whether ``module`` is one matrix, and not a part that holds others."""
    return not list(module.children()) and getattr(getattr(module, "weight", None), "ndim", 0) == 2


def _scores(name: str) -> bool:
    """Whether it is a reward model's head, which learns as a whole."""
    return name == "score"


def _linear(model: Any) -> str:
    """The names of its linear layers."""
    import torch

    found = {
        name.rpartition(".")[2]
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear)
        and not (layer is model.get_output_embeddings() or _scores(name))
    }
    return ", ".join(sorted(found))
