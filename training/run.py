"""One training run from recipe to artefact; killed and started again, it goes on where it was.

``pointsman train deploy/demo/recipes/support.yaml --set train.steps=20``
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from training import recipe as recipes
from training import stages
from training.data.preparing.collection import Report
from training.methods.inheritance import settled
from training.runs import faults, processes, trackers
from training.runs import folder as runfolder

RUNS = Path("runs")


def train(
    recipe_path: Path, *, overrides: Sequence[str] = (), runs: Path = RUNS, report: Report = print
) -> Path:
    """Train what the recipe says and return the artefact's folder, ``<runs>/<name>/artefact``.

    A finished run is not trained again; ``report`` is told so, and everything else that goes on.

    Raises:
        DocumentError: the recipe, or an override such as ``train.steps=20``, is wrong.
        TrainingError: see the tree in :mod:`training.errors`.
        KeyboardInterrupt: Ctrl-C; once the run has a folder, with what the same command does then.
    """
    recipe = settled(recipes.load(recipe_path, overrides))
    processes.begin(recipe)
    if not processes.keeps():
        report = _say_nothing
    with runfolder.opened(recipe, runs) as run, faults.named(run):
        if run.finished:
            report(
                f"{run.path} is finished: its artefact is {run.artefact}. To train it again, remove the "
                "folder or give the recipe another name (--set name=...)"
            )
            return run.artefact
        _set_threads()
        quieten()
        pass_over_cudnn()
        _hold_to_precision(recipe, report)
        if not run.keeper or isinstance(recipe, recipes.QuantizeRecipe):
            return stages.train(recipe, run, report)
        with trackers.following(recipe, run) as followed:
            return stages.train(recipe, followed, report)


def _say_nothing(_: str) -> None:
    """The report of a process that does not keep the run."""


def _hold_to_precision(recipe: recipes.Recipe, report: Report) -> None:
    from training.models import precision
    from training.runs import activations

    if isinstance(recipe, recipes.LearningRecipe) and (
        warning := precision.overruled(bf16=activations.is_bf16(recipe))
    ):
        report(warning)


def _set_threads() -> None:
    """What the libraries read once, as they are loaded; a value that the user has set stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # said once, so that no worker warns of a fork
    # By default a thread that waits for another burns its core, which another process, such as the vLLM that
    # serves meanwhile, may need for the work that is waited for: training then is several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pass_over_cudnn() -> None:
    """Leave attention to the other kernels, where cuDNN's would be taken first (Hopper, from torch 2.11 on).

    Its gradients of a masked row can be NaN: where a row's scores are all far below 0, or all masked, and the
    length is 64 more than a multiple of 128 (pytorch #196678, and DPO's in trl #7181).
    """
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def quieten() -> None:
    """Keep the libraries' notes to developers out of a user's terminal; their errors still come through."""
    import datasets
    import torch  # noqa: F401  (sets the level of its own logger as it is imported)
    from transformers.utils import logging as transformers_logging

    os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")  # TRL imports it where it is installed
    for name in (
        *("torch", "torchao", "transformers", "datasets", "trl", "peft", "bitsandbytes", "matplotlib"),
        "vllm",
    ):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="peft|torch|transformers|trl|accelerate")
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
