"""One supervised run: rows with a loss mask, TRL's trainer, an artefact. What cpt and sft share.

A stage gives what is its own: where the tokenizer is, the model, its rows as datasets, what is saved.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pointsman import artefact
from training import curves, prepare, provenance
from training.prepare import Prepared, Report
from training.recipe import SupervisedRecipe
from training.runfolder import RunFolder

PANELS = (
    curves.Panel("nats per token", {"loss": "-", "eval_loss": "o--"}, logarithmic=True, height=3),
    curves.Panel("learning rate", {"learning_rate": "-"}),
)


class Stage(Protocol):
    """A stage's module. ``Any`` stands for its own recipe, and for the libraries' models and tokenizers."""

    def tokenizer(self, recipe: Any, run: RunFolder, report: Report) -> Path | str: ...
    def model(self, recipe: Any, tokenizer: Any) -> Any: ...
    def datasets(self, recipe: Any, prepared: Prepared) -> tuple[Any, Any]: ...
    def save(self, recipe: Any, model: Any, tokenizer: Any, folder: Path) -> None: ...
    def origin(self, recipe: Any) -> tuple[artefact.BaseIdentity | None, str | None]: ...


def train(stage: Stage, recipe: SupervisedRecipe, run: RunFolder, report: Report) -> Path:
    """Train and return the artefact's folder; goes on from the run's last checkpoint, if it has one."""
    from training import base, progress, trainer

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
    curves.draw(run.read_metrics(), recipe.name, run.curves, PANELS)
    manifest = provenance.manifest(
        recipe, base=identity, data=prepared.hashes, metrics=metrics, parent=parent
    )
    place(run, manifest, lambda folder: stage.save(recipe, model, tokenizer, folder))
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


def place(run: RunFolder, manifest: artefact.Manifest, save: Callable[[Path], None]) -> None:
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
