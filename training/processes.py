"""The processes that train one run: this one alone, or several that ``accelerate launch`` has started.

The same recipe takes the same steps on any number of them: a step's batches are dealt out. The first process
keeps the run, which is to say that it alone writes into the run's folder and speaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from training.errors import Undistributable
from training.recipe import OnlineRecipe, QuantizeRecipe, Recipe, RouterRecipe

METHODS = ("lora", "dora", "pissa", "full", "freeze")


def count() -> int:
    """How many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def keeps() -> bool:
    """Whether this one keeps the run."""
    return int(os.environ.get("RANK", "0")) == 0


def begin(recipe: Recipe) -> None:
    """Find the others; does nothing for a process alone.

    Raises:
        Undistributable: the recipe can't be trained by so many.
    """
    if count() == 1:
        return
    _refuse(recipe)
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())


def wait() -> None:
    """Return when all processes have come here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def keeper_first() -> Iterator[None]:
    """Within it the process that keeps the run goes first, and the others when it is done."""
    if not keeps():
        wait()
    yield
    if keeps():
        wait()


def share(accumulate: int) -> int:
    """Of a step's ``accumulate`` batches, those of each process."""
    return accumulate // count()


def whole(trainer: Any, model: Any, make: Callable[[], Any]) -> Any:
    """``model``, or where each process holds a part of it, one from ``make`` with all its weights.

    That one is made by the process that keeps the run alone; the others get ``model``.
    """
    from accelerate import DistributedType

    accelerator = trainer.accelerator
    if accelerator.distributed_type not in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        return model
    weights = accelerator.get_state_dict(trainer.model_wrapped)
    if not keeps():
        return model
    made = make()
    made.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return made


def _refuse(recipe: Recipe) -> None:
    if isinstance(recipe, OnlineRecipe | QuantizeRecipe | RouterRecipe):
        raise Undistributable(
            f"stage {recipe.stage} runs in one process, and accelerate has started {count()}; run "
            f"`pointsman train` itself. Several processes train cpt, sft, rm and dpo"
        )
    method = getattr(recipe, "method", "lora")
    if method not in METHODS:
        raise Undistributable(
            f"method {method} trains in one process, and accelerate has started {count()}; several train "
            f"{', '.join(METHODS)}"
        )
    plan = recipe.train
    if plan.accumulate % count():
        raise Undistributable(
            f"train.accumulate ({plan.accumulate}) must be a multiple of the processes ({count()}), so that "
            f"they share a step's batches evenly; for the same steps of {plan.batch_rows * plan.accumulate} "
            "sequences lower train.batch_rows and raise train.accumulate by as much"
        )
