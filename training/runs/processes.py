"""The processes that train one run: this one alone, or several that ``accelerate launch`` has started.

The same recipe takes the same steps on any number of them: a step's batches are dealt out, and each measures
the held-out rows whole (an epoch's last batches: training.trainers.dealing; ppo deals out rows, and what is
sampled of held-out prompts as well: training.online.parted). What can't come out alike is refused. The first
process keeps the run, which is to say that it alone writes into the run's folder and speaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from training.errors import DiskFull, LossNotFinite, OutOfMemory, TrainingFailed, Undistributable
from training.recipe import (
    CptRecipe,
    GrpoRecipe,
    LearningRecipe,
    PpoRecipe,
    QuantizeRecipe,
    Recipe,
    RouterRecipe,
)

CUT = ("lora", "dora", "pissa", "full", "freeze")  # methods of which each process can hold a part
WHOLE = "let every process hold all of them (deploy/accelerate/data-parallel.yaml)"


def count() -> int:
    """How many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def keeps() -> bool:
    """Whether this one keeps the run."""
    return rank() == 0


def speaks_of(error: Exception) -> bool:
    """Whether this one says ``error``: what all of a machine meet alike is its first's to say.

    What one may meet alone, such as too little memory, it says itself.
    """
    alone = isinstance(error, OutOfMemory | DiskFull | LossNotFinite | TrainingFailed)
    return alone or int(os.environ.get("LOCAL_RANK", "0")) == 0


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


def part(rows: int) -> slice:
    """Of so many ``rows``, those that are this process's; no process has two more than another."""
    return slice(rows * rank() // count(), rows * (rank() + 1) // count())


def add_up(tensors: Iterable[Any]) -> None:
    """Make each of ``tensors`` the sum of those that the processes have in its place."""
    if count() > 1:
        import torch.distributed

        for tensor in tensors:
            torch.distributed.all_reduce(tensor)


def gathered(thing: Any) -> list[Any]:
    """Each process's ``thing``, in their order."""
    if count() == 1:
        return [thing]
    from accelerate.utils import gather_object

    found: list[Any] = gather_object([thing])
    return found


def undealt(dealt: Any, rows: int) -> Any:
    """``dealt``, a loader of which each process gets its share, as one that gives every process all.

    Args:
        dealt: accelerate's loader.
        rows: of a batch.
    """
    if count() == 1:
        return dealt
    from accelerate.data_loader import prepare_data_loader
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(dealt.dataset, batch_size=rows, collate_fn=dealt.collate_fn)
    return prepare_data_loader(loader, num_processes=1, process_index=0)


@contextmanager
def apart(accelerator: Any) -> Iterator[None]:
    """Within it nothing is gathered from other processes: each has all the numbers.

    Dealt out, held-out batches are filled up with rows that are counted twice, and their means differ from
    those that one process takes.
    """
    if count() == 1:
        yield
        return
    accelerator.gather = lambda numbers: numbers
    try:
        yield
    finally:
        del accelerator.gather


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
    from transformers.integrations import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # else ZeRO-3 would cut the new one as well, and wait for the others in vain
    made = make()
    made.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return made


def cut_weights() -> bool:
    """Whether accelerate has been told to give each process a part of the weights."""
    return any(map(_switched_on, ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")))


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "false").lower() == "true"


def _refuse(recipe: Recipe) -> None:
    if isinstance(recipe, QuantizeRecipe | RouterRecipe):
        raise Undistributable(
            f"stage {recipe.stage} runs in one process, and accelerate has started {count()}; run "
            f"`pointsman train` itself. Several processes train cpt, sft, rm, dpo, ppo and grpo"
        )
    if cut_weights():
        _refuse_cut(recipe)
    if isinstance(recipe, PpoRecipe):
        return  # its batches are dealt out by rows
    plan = recipe.train
    if plan.accumulate % count():
        raise Undistributable(
            f"train.accumulate ({plan.accumulate}) must be a multiple of the processes ({count()}), so that "
            f"they share a step's batches evenly; for the same steps of {plan.batch_rows * plan.accumulate} "
            "sequences lower train.batch_rows and raise train.accumulate by as much"
        )


def _refuse_cut(recipe: LearningRecipe) -> None:
    """Of FSDP and DeepSpeed, with which each process holds a part of the weights."""
    if isinstance(recipe, PpoRecipe | GrpoRecipe):
        raise Undistributable(
            f"stage {recipe.stage} samples answers from whole weights, and with FSDP or DeepSpeed each "
            f"process holds a part of them; {WHOLE}"
        )
    if isinstance(recipe, CptRecipe) and recipe.bound is not None:
        raise Undistributable(
            "probe.max_forgetting keeps whole weights to go back to, and with FSDP or DeepSpeed each process "
            f"holds a part of them; leave it out, or {WHOLE}"
        )
    method = getattr(recipe, "method", "lora")
    if method == "qlora":
        raise Undistributable(
            "method qlora keeps its base in 4 bits in every process, and FSDP or DeepSpeed would cut it "
            f"(which needs bnb_4bit_quant_storage, and is not supported); {WHOLE}"
        )
    if method not in CUT:
        raise Undistributable(
            f"method {method} learns virtual tokens, which FSDP or DeepSpeed would cut, and which are too "
            f"few to be worth it; {WHOLE}"
        )
    if recipe.train.gradient_checkpointing and _switched_on("ACCELERATE_USE_DEEPSPEED"):
        raise Undistributable(
            "train.gradient_checkpointing: DeepSpeed gives weights back after use, and a layer that is "
            "computed again would not find them; leave it out, or use FSDP (deploy/accelerate/fsdp.yaml)"
        )
