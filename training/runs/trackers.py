"""The metrics of a run in TensorBoard and Weights & Biases, where its recipe says ``trackers: [...]``.

They follow the lines of ``metrics.jsonl``, number for number; TensorBoard's tags are grouped. The one
module that imports ``tensorboardX`` and ``wandb``; W&B is optional, and missing it is said before
anything is trained.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from training.errors import PackageMissing, TrackerError
from training.recipe import LearningRecipe, Recipe, RouterRecipe
from training.runs.folder import RunFolder

PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb"}
PROJECT = "pointsman"  # W&B's, where WANDB_PROJECT says no other
ID = "wandb.id"  # in the run's folder: the run that a resumed one goes on in


def require(names: Sequence[str]) -> None:
    """Make sure that the packages of the trackers ``names`` are there.

    Raises:
        PackageMissing: with how to get the first that is not.
    """
    for name in names:
        package = PACKAGES[name]
        if find_spec(package) is None:
            raise PackageMissing(
                f"trackers: {name} needs the package {package}, which is not installed. Install it with "
                f".venv/bin/uv pip install {package}, or take {name} out of the recipe's trackers"
            )


@contextmanager
def following(recipe: LearningRecipe | RouterRecipe, run: RunFolder) -> Iterator[RunFolder]:
    """``run`` with its trackers: within this, what is added to its metrics goes to them too.

    Raises:
        PackageMissing, TrackerError: before anything is trained.
    """
    require(recipe.trackers)
    with ExitStack() as stack:
        opened = [stack.enter_context(OPENERS[name](recipe, run)) for name in dict.fromkeys(recipe.trackers)]
        yield replace(run, trackers=tuple(opened)) if opened else run


@contextmanager
def _tensorboard(recipe: Recipe, run: RunFolder) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Event files in the run's folder; ``tensorboard --logdir runs`` shows all runs."""
    from tensorboardX import SummaryWriter

    folder, checkpoint = run.path / "tensorboard", run.last_checkpoint()
    if checkpoint is None:
        shutil.rmtree(folder, ignore_errors=True)
    done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
    # What follows the checkpoint is done, and written, again: TensorBoard drops the first of it.
    writer: Any = SummaryWriter(str(folder), purge_step=None if done is None else done + 1)

    def add(line: Mapping[str, float]) -> None:
        for name, value in line.items():
            if name not in ("step", "epoch"):
                writer.add_scalar(tag(name), value, int(line["step"]))
        writer.flush()

    try:
        yield add
    finally:
        writer.close()


def tag(name: str) -> str:
    """A metric as TensorBoard groups it: ``loss`` is ``train/loss``, ``eval_loss`` is ``eval/loss``."""
    return f"eval/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}"


@contextmanager
def _wandb(recipe: Recipe, run: RunFolder) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """A run of W&B; its own variables (WANDB_PROJECT, WANDB_MODE, ...) say where it goes."""
    import wandb

    place = run.path / ID
    if run.last_checkpoint() is None or not place.is_file():
        place.write_text(secrets.token_hex(8), encoding="utf-8")
    try:
        session: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=recipe.name,
            id=place.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(run.path),
            config=recipe.model_dump(mode="json"),
        )
    except wandb.errors.Error as exc:
        raise TrackerError(
            f"trackers: wandb can't begin a run: {exc}. Log in with `wandb login`, set WANDB_MODE=offline to "
            "keep it on this machine, or take wandb out of the recipe's trackers"
        ) from exc
    session.define_metric("*", step_metric="step")  # a resumed run repeats steps, which W&B's own can't
    failed = True
    try:
        yield lambda line: session.log(dict(line))
        failed = False
    finally:
        session.finish(exit_code=int(failed))


OPENERS = {"tensorboard": _tensorboard, "wandb": _wandb}
