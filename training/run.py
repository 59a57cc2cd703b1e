"""One training run from recipe to artefact; killed and started again, it goes on where it was.

``pointsman train deploy/demo/recipes/support.yaml --set train.steps=20``
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pointsman import artefact
from training import cpt, curves, prepare, provenance, runfolder, sft
from training import recipe as recipes
from training.prepare import Prepared, Report
from training.recipe import Recipe
from training.runfolder import RunFolder

RUNS = Path("runs")


def train(
    recipe_path: Path, *, overrides: Sequence[str] = (), runs: Path = RUNS, report: Report = print
) -> Path:
    """Train what the recipe says and return the artefact's folder, ``<runs>/<name>/artefact``.

    A finished run is not trained again; ``report`` is told so, and everything else that goes on.

    Raises:
        DocumentError: the recipe, or an override such as ``train.steps=20``, is wrong.
        TrainingError: see the tree in :mod:`training.errors`.
    """
    recipe = recipes.load(recipe_path, overrides)
    with runfolder.opened(recipe, runs) as run:
        if run.finished:
            report(
                f"{run.path} is finished: its artefact is {run.artefact}. To train it again, remove the "
                "folder or give the recipe another name (--set name=...)"
            )
            return run.artefact
        _set_threads()
        _quiet()
        return _train(recipe, run, report)


def _train(recipe: Recipe, run: RunFolder, report: Report) -> Path:
    from training import base, progress, trainer

    stage: Any = cpt if recipe.stage == "cpt" else sft
    began = time.monotonic()
    identity, parent = stage.origin(recipe)
    report(f"{recipe.name}: preparing the data")
    tokenizer_folder = stage.tokenizer(recipe, run, report)
    tokenizer = base.load_tokenizer(str(tokenizer_folder))
    prepared = prepare.prepare(recipe, tokenizer_folder, report)
    checkpoint = run.last_checkpoint()
    run.check_data(prepared.hashes, resuming=checkpoint is not None)
    _say_data(prepared, report)

    model = stage.model(recipe, tokenizer)
    train_rows, validation_rows = stage.datasets(recipe, prepared)
    watcher = progress.RunProgress(run, int(prepared.train.lengths.sum()), report)
    training = trainer.build(
        model,
        tokenizer,
        train_rows,
        validation_rows,
        recipe.train,
        seed=recipe.seed,
        checkpoints=run.checkpoints,
        callbacks=[watcher],
    )
    steps = trainer.steps(training)
    report(f"{recipe.name}: {steps} steps of {recipe.train.batch_rows * recipe.train.accumulate} sequences")
    if checkpoint:
        done = int(checkpoint.name.rpartition("-")[2])
        report(f"{run.path} was stopped before it was finished; going on after step {done}")
        run.keep_metrics_until(done, last=steps)
    else:
        run.metrics.unlink(missing_ok=True)
    try:
        trainer.train(training, checkpoint)
        base.round_to_served(model)
        evaluation = training.evaluate()
    finally:
        watcher.close()
    metrics = {
        "train_loss": round(_mean_loss(run.read_metrics()), 6),
        "eval_loss": round(float(evaluation["eval_loss"]), 6),
        "eval_token_accuracy": round(float(evaluation["eval_mean_token_accuracy"]), 6),
        "steps": float(steps),
        "train_rows": float(len(prepared.train)),
        "trained_tokens": float(prepared.train.loss_mask.sum()),
        "dropped_rows": float(sum(prepared.dropped.values())),
        "seconds": round(time.monotonic() - began, 1),
    }
    curves.draw(run.read_metrics(), recipe.name, run.curves)
    manifest = provenance.manifest(
        recipe, base=identity, data=prepared.hashes, metrics=metrics, parent=parent
    )
    _place(run, manifest, lambda folder: stage.save(recipe, model, tokenizer, folder))
    report(f"{recipe.name}: evaluation loss {metrics['eval_loss']:.4f}; the artefact is {run.artefact}")
    return run.artefact


def _mean_loss(metrics: list[dict[str, float]]) -> float:
    """Of all steps; the trainer's own begins anew with every resumption."""
    total = last = 0.0
    for line in metrics:
        if "loss" in line:
            total += line["loss"] * (line["step"] - last)
            last = line["step"]
    return total / last


def _place(run: RunFolder, manifest: artefact.Manifest, save: Callable[[Path], None]) -> None:
    """Write the artefact beside its place and move it there in one step."""
    growing = run.path / "artefact.growing"
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir()
    save(growing)
    artefact.write_manifest(growing, manifest)
    growing.rename(run.artefact)


def _say_data(prepared: Prepared, report: Report) -> None:
    for reason, count in prepared.dropped.items():
        report(f"dropped {count} rows: {reason}")
    tokens, trained = int(prepared.train.lengths.sum()), int(prepared.train.loss_mask.sum())
    report(
        f"{len(prepared.train):,} rows to train on ({tokens:,} tokens, {trained:,} of them trained), "
        f"{len(prepared.validation):,} to evaluate on"
    )


def _set_threads() -> None:
    """What the libraries read once, as they are loaded; a value that the user has set stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # said once, so that no worker warns of a fork
    # By default a thread that waits for another burns its core, which another process, such as the vLLM that
    # serves meanwhile, may need for the work that is waited for: training then is several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _quiet() -> None:
    """Keep the libraries' notes to developers out of a user's terminal; their errors still come through."""
    import datasets
    import torch  # noqa: F401  (sets the level of its own logger as it is imported)
    from transformers.utils import logging as transformers_logging

    for name in ("torch", "torchao", "transformers", "datasets", "trl", "peft", "bitsandbytes", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="peft|torch|transformers|trl|accelerate")
    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
