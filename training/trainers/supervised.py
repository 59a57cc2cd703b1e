"""One run on rows that say what is right: tokens, one of TRL's trainers, an artefact.

What cpt, sft, rm and dpo share. A stage gives what is its own: where the tokenizer is, the model, what is
saved; and the way it learns gives the rest: what rows become, the trainer, what is measured and drawn.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pointsman import artefact
from training.data.preparing import summary
from training.data.preparing.collection import Prepared, Report
from training.recipe import SupervisedRecipe
from training.runs import curves, divergence, estimate, processes, provenance
from training.runs.folder import RunFolder


class Stage(Protocol):
    """A stage's module. ``Any`` stands for its own recipe, and for the libraries' models and tokenizers."""

    def tokenizer(self, recipe: Any, run: RunFolder, report: Report) -> Path | str: ...
    def model(self, recipe: Any, tokenizer: Any) -> Any: ...
    def save(self, recipe: Any, model: Any, tokenizer: Any, folder: Path) -> None: ...
    def origin(self, recipe: Any) -> tuple[artefact.BaseIdentity | None, str | None]: ...


@dataclass(frozen=True, slots=True)
class Given:
    """What a trainer is made with."""

    model: Any
    tokenizer: Any
    prepared: Prepared[Any]
    run: RunFolder
    callbacks: Sequence[Any]
    report: Report


class Learning(Protocol):
    """The way in which a stage learns, a module as well."""

    @property
    def PANELS(self) -> Sequence[curves.Panel]: ...
    def prepare(self, recipe: Any, tokenizer_folder: Path | str, report: Report) -> Prepared[Any]: ...
    def trainer(self, recipe: Any, given: Given) -> Any: ...
    def evaluate(
        self, recipe: Any, training: Any, prepared: Any, report: Report
    ) -> dict[str, float]: ...  # of the weights as they are saved; eval_loss, and steps if they are fewer


def train(stage: Stage, learning: Learning, recipe: SupervisedRecipe, run: RunFolder, report: Report) -> Path:
    """Train and return the artefact's folder; goes on from the run's last checkpoint, if it has one."""
    from training.models import base, recomputing
    from training.runs import progress
    from training.trainers import loop

    identity, parent = stage.origin(recipe)
    report(f"{recipe.name}: preparing the data")
    with processes.keeper_first():
        tokenizer_folder = stage.tokenizer(recipe, run, report)
    tokenizer = base.load_tokenizer(str(tokenizer_folder))
    prepared = learning.prepare(recipe, tokenizer_folder, report)
    checkpoint = run.last_checkpoint()
    run.check_data(prepared.hashes, resuming=checkpoint is not None)
    for line in summary.lines(recipe, prepared):
        report(line)

    model = stage.model(recipe, tokenizer)
    if recipe.train.gradient_checkpointing:
        recomputing.use(model)
    report(f"{recipe.name}: {estimate.of(model, recipe, estimate.longest(recipe, prepared.train))}")
    if warning := estimate.too_long(model, recipe):
        report(warning)
    watcher = progress.RunProgress(run, prepared.train.tokens, report)
    given = Given(model, tokenizer, prepared, run, [watcher], report)
    training = learning.trainer(recipe, given)
    steps = loop.steps(training)
    report(f"{recipe.name}: {steps} steps of {recipe.train.batch_rows * recipe.train.accumulate} sequences")
    done = run.begin(checkpoint, steps, report)
    try:
        watcher.start(steps, done)
        loop.train(training, checkpoint)
        evaluation = learning.evaluate(recipe, training, prepared, report)
        model = processes.whole(training, model, lambda: stage.model(recipe, tokenizer))
    finally:
        watcher.close()
    if not run.keeper:
        processes.wait()
        return run.artefact
    metrics = {
        "train_loss": round(_mean_loss(run.read_metrics()), 6),
        "steps": float(steps),
        **{name: round(value, 6) for name, value in evaluation.items()},
        "train_rows": float(len(prepared.train)),
        "trained_tokens": float(prepared.train.trained),
        "dropped_rows": float(sum(prepared.dropped.values())),
        "seconds": run.note_seconds(),
    }
    warning = divergence.warning(run.read_metrics(), evaluation["eval_loss"], recipe.train.learning_rate)
    curves.draw(run.read_metrics(), recipe.name, run.curves, learning.PANELS)
    manifest = provenance.manifest(
        recipe, base=identity, data=prepared.hashes, metrics=metrics, parent=parent, warning=warning
    )
    place(run, manifest, lambda folder: stage.save(recipe, model, tokenizer, folder))
    processes.wait()
    report(f"{recipe.name}: evaluation loss {metrics['eval_loss']:.4f}; the artefact is {run.artefact}")
    if warning:
        report(f"warning: {warning}")
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
