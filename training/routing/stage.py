"""The stage ``router``: rows with intents → an encoder that keeps the intents apart, for ``router.encoder``.

``pointsman train deploy/demo/recipes/router.yaml``
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import learned
from pointsman.carried import CARRIED, PACKAGE, encoder_folder
from training.data.preparing.collection import Report
from training.errors import BaseError
from training.recipe import RouterRecipe
from training.routing import checkpoint as checkpoints
from training.routing import rows
from training.routing.batches import batches, steps_of
from training.routing.learner import Learner
from training.routing.rows import Intents, Labelled
from training.runs import curves, provenance
from training.runs.bar import Bar
from training.runs.curves import Panel
from training.runs.folder import RunFolder
from training.trainers import supervised

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PANELS = (
    Panel("nats", {"loss": "-", "eval_loss": "o--"}, height=2),
    Panel("held-out texts right", {"eval_accuracy": "o--"}),
    Panel("gradient's length", {"grad_norm": "-"}),
)


def train(recipe: RouterRecipe, run: RunFolder, report: Report) -> Path:
    """Tune the recipe's encoder and return its folder; goes on from the run's last checkpoint, if it has one.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    began = time.monotonic()
    report(f"{recipe.name}: reading the rows")
    intents = rows.read(recipe)
    checkpoint = run.last_checkpoint()
    run.check_data(intents.hashes, resuming=checkpoint is not None)
    report(said(intents))
    model = load(recipe)
    limit, model.max_seq_length = model.max_seq_length, recipe.data.max_tokens
    learner = Learner(recipe, model, len(intents.names))
    plan = recipe.train
    steps = plan.steps or steps_of(len(intents.train), plan.batch_rows, plan.epochs)
    report(f"{recipe.name}: {steps} steps of {plan.batch_rows} texts; {learner.said}")
    done = run.begin(checkpoint, steps, report)
    bar = Bar(report)
    try:
        if checkpoint:
            checkpoints.load(learner, checkpoint)
        else:
            learner.begin(*_pairs(intents, intents.train))
        bar.start(steps, done)
        if not checkpoint:
            _evaluate(learner, intents, run, bar, 0)
        _learn(learner, intents, run, bar, done=done, steps=steps)
        learner.step_back()
        _evaluate(learner, intents, run, bar, steps)
    finally:
        bar.close()
    lines = run.read_metrics()
    metrics = _before_and_after(lines) | {
        "steps": float(steps),
        "train_rows": float(len(intents.train)),
        "dropped_rows": float(intents.repeated),
        "seconds": round(time.monotonic() - began, 1),
    }
    curves.draw(lines, recipe.name, run.curves, PANELS)
    manifest = provenance.manifest(recipe, base=None, data=intents.hashes, metrics=metrics)
    model.max_seq_length = limit
    supervised.place(run, manifest, lambda folder: _save(model, intents, folder))
    report(
        f"{recipe.name}: of {len(intents.validation)} held-out texts {metrics['eval_accuracy_before']:.1%} "
        f"right before, {metrics['eval_accuracy']:.1%} after; the encoder is {run.artefact}"
    )
    return run.artefact


def load(recipe: RouterRecipe) -> SentenceTransformer:
    """The encoder to begin with. Code from its own folder never runs.

    Raises:
        BaseError: it can't be loaded.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    source = encoder_folder() if recipe.base == CARRIED else recipe.base
    if source is None:
        raise BaseError(f"base: the carried encoder is not installed; install the package {PACKAGE}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return SentenceTransformer(str(source), device=device, trust_remote_code=False)
    except Exception as exc:  # the library raises whatever its parts raise
        raise BaseError(
            f"base: the encoder {recipe.base!r} can't be loaded: {exc}; expected {CARRIED!r}, a folder of a "
            "sentence-transformers model, or the id of one on the hub"
        ) from exc


def _before_and_after(lines: list[dict[str, float]]) -> dict[str, float]:
    """The closing evaluation, and the first one's numbers beside it."""
    evaluations = [line for line in lines if "eval_loss" in line]
    names = ("eval_loss", "eval_accuracy")
    return {f"{name}_before": evaluations[0][name] for name in names} | {
        name: evaluations[-1][name] for name in names
    }


def _learn(learner: Learner, intents: Intents, run: RunFolder, bar: Bar, *, done: int, steps: int) -> None:
    """The steps after ``done``."""
    plan = learner.recipe.train
    lengths, classes = [len(row.text) for row in intents.train], intents.classes(intents.train)
    epoch, of_epoch = -1, list[list[int]]()
    for number in range(done + 1, steps + 1):
        each = max(1, len(lengths) // plan.batch_rows)
        if (number - 1) // each != epoch:
            epoch = (number - 1) // each
            of_epoch = batches(lengths, classes, plan.batch_rows, learner.recipe.seed, epoch)
        chosen = [intents.train[place] for place in of_epoch[(number - 1) % each]]
        line = learner.step(number, steps, *_pairs(intents, chosen))
        if number % plan.log_every == 0 or number == steps:
            run.add_metrics({"step": number} | {name: round(value, 8) for name, value in line.items()})
        bar.move(number)
        bar.say(number, f"loss {line['loss']:.4f}")
        if plan.evaluate_every and number % plan.evaluate_every == 0 and number < steps:
            _evaluate(learner, intents, run, bar, number)
        if number % plan.save_every == 0 or number == steps:
            checkpoints.save(learner, run.checkpoints, number)


def _evaluate(learner: Learner, intents: Intents, run: RunFolder, bar: Bar, step: int) -> None:
    line = learner.evaluate(*_pairs(intents, intents.validation))
    run.add_metrics({"step": step} | {name: round(value, 6) for name, value in line.items()})
    text = f"held-out loss {line['eval_loss']:.4f}, {line['eval_accuracy']:.1%} right"
    bar.say(step, text, always=True)


def _pairs(intents: Intents, chosen: tuple[Labelled, ...] | list[Labelled]) -> tuple[list[str], list[int]]:
    return [row.text for row in chosen], intents.classes(chosen)


def _save(model: SentenceTransformer, intents: Intents, folder: Path) -> None:
    """The encoder, and which texts it has learned: a router must not be calibrated on those."""
    model.save(str(folder), create_model_card=False)
    learned.write(folder, [row.text for row in intents.train])


def said(intents: Intents) -> str:
    """What was read of the rows, in words."""
    text = (
        f"{len(intents.train):,} rows of {len(intents.names)} intents to train on, their names among them, "
    )
    text += f"{len(intents.validation):,} to evaluate on"
    if intents.outside:
        text += f"; {intents.outside} out of scope are left to the router, to weigh by"
    return text + (f"; {intents.repeated} were there twice" if intents.repeated else "")
