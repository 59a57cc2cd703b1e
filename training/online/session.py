"""One run of a stage that learns from its own answers, from recipe to artefact; what ppo and grpo share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from training.data.preparing import summary
from training.data.preparing.collection import Prepared, Report
from training.methods import lora, parent
from training.models import base, recomputing
from training.online import heldout, parted, policy, prompts, rewards, suitable
from training.online.answers import LocalSampler, Sampler
from training.online.policy import Policy
from training.online.prompts import Asked
from training.online.rewards import Rewards
from training.online.server import ServerSampler
from training.recipe import GrpoRecipe, PpoRecipe
from training.runs import curves, divergence, estimate, processes, provenance
from training.runs.bar import Bar
from training.runs.curves import Panel
from training.runs.folder import RunFolder
from training.trainers import supervised

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

R = TypeVar("R", PpoRecipe, GrpoRecipe)


@dataclass(frozen=True, slots=True)
class Session:
    """What a stage learns with."""

    run: RunFolder
    tokenizer: PreTrainedTokenizerBase
    prompts: Prepared[Asked]
    rewards: Rewards
    policy: Policy
    sampler: Sampler
    bar: Bar
    report: Report
    measure: Callable[[Session, int], dict[str, float]]

    def evaluate(self, step: int) -> dict[str, float]:
        """The metrics on the held-out prompts, which are written down as those of ``step``."""
        return self.measure(self, step)


class Stage(Protocol):
    """A way to learn, made for one session."""

    hashes: dict[str, str]  # of what it reads beside the prompts: source → sha256

    @property
    def panels(self) -> Sequence[Panel]:
        """What its curves show."""

    def learn(self, checkpoint: Path | None) -> None:
        """Take all steps, or those behind ``checkpoint``."""


def train(recipe: R, run: RunFolder, report: Report, stage: Callable[[R, Session], Stage]) -> Path:
    """Train and return the artefact's folder; goes on from the run's last checkpoint, if it has one.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    identity, before = parent.origin(recipe)
    scorers = rewards.load(recipe.rewards)
    if isinstance(recipe, PpoRecipe):  # TRL's own deals grpo's out
        scorers = parted.rewards(scorers)
    report(f"{recipe.name}: preparing the prompts")
    tokenizer = base.load_tokenizer(recipe.base)
    asked = prompts.prepared(recipe, recipe.base, report)
    for line in summary.lines(recipe, asked):
        report(line)
    if run.keeper:
        suitable.require(recipe, asked)

    model = policy.load(recipe, tokenizer, recipe.train.precision)
    if recipe.train.gradient_checkpointing:
        recomputing.use(model.model)
    report(f"{recipe.name}: {estimate.of(model.model, recipe, asked.train.longest)}")
    if warning := estimate.too_long(model.model, recipe):
        report(warning)
    own = _sampler(recipe, run, model, report)
    sampler = parted.PartedSampler(own, recipe.sampling.batch_rows)
    bar = Bar(report)
    session = Session(run, tokenizer, asked, scorers, model, sampler, bar, report, partial(_evaluate, recipe))
    learning = stage(recipe, session)
    hashes = asked.hashes | learning.hashes
    checkpoint = run.last_checkpoint()
    run.check_data(hashes, resuming=checkpoint is not None)
    try:
        _learn(recipe, session, learning, checkpoint)
    finally:
        bar.close()
        if isinstance(own, ServerSampler) and run.keeper:
            own.close()
    if not run.keeper:
        processes.wait()
        return run.artefact
    warning = divergence.stalled(
        run.read_metrics(), recipe.train.learning_rate, "no answer to a prompt is worth more than another"
    )
    metrics = _summary(run.read_metrics()) | {
        "steps": float(recipe.train.steps),
        "train_prompts": float(len(asked.train)),
        "dropped_rows": float(sum(asked.dropped.values())),
        "seconds": run.note_seconds(),
    }
    curves.draw(run.read_metrics(), recipe.name, run.curves, learning.panels)
    manifest = provenance.manifest(
        recipe, base=identity, data=hashes, metrics=metrics, parent=before, warning=warning
    )
    supervised.place(run, manifest, lambda folder: lora.save(model.model, folder, recipe.base))
    processes.wait()
    report(
        f"{recipe.name}: reward on held-out prompts {metrics['eval_reward_before']:.4f} before, "
        f"{metrics['eval_reward']:.4f} after, KL {metrics['eval_kl']:.3f} nats an answer; the artefact is "
        f"{run.artefact}"
    )
    if warning:
        report(f"warning: {warning}")
    return run.artefact


def _learn(
    recipe: PpoRecipe | GrpoRecipe, session: Session, learning: Stage, checkpoint: Path | None
) -> None:
    """All steps, or those behind ``checkpoint``, and the evaluations before and after them."""
    run, steps = session.run, recipe.train.steps
    session.report(f"{recipe.name}: {steps} steps")
    done = run.begin(checkpoint, steps, session.report)
    if run.keeper:
        session.bar.start(steps, done)
    if not checkpoint:
        session.evaluate(0)
    learning.learn(checkpoint)
    base.round_to_served(session.policy.model)
    session.evaluate(steps)


def _evaluate(recipe: PpoRecipe | GrpoRecipe, session: Session, step: int) -> dict[str, float]:
    line = heldout.evaluate(
        session.policy,
        session.sampler,
        session.rewards,
        session.prompts.validation,
        tokenizer=session.tokenizer,
        recipe=recipe,
    )
    session.run.add_metrics({"step": step} | {name: round(value, 6) for name, value in line.items()})
    text = f"held-out reward {line['eval_reward']:.4f}, KL {line['eval_kl']:.3f} nats an answer"
    session.bar.say(step, text, always=True)
    return line


def _sampler(recipe: PpoRecipe | GrpoRecipe, run: RunFolder, model: Policy, report: Report) -> Sampler:
    if recipe.server:
        return ServerSampler(
            recipe.server,
            recipe.sampling,
            model.stops,
            model.vocabulary,
            recipe.alias,
            run.path.resolve() / "served",
            lambda folder: lora.save(model.model, folder, recipe.base),
            log_probs=isinstance(recipe, GrpoRecipe) and recipe.algorithm == "grpo",
            report=report,
            again=lambda: run.again,
        )
    return LocalSampler(model.model, recipe.sampling, model.stops, model.pad)


def _summary(metrics: list[dict[str, float]]) -> dict[str, float]:
    """The closing evaluation, and the first one's reward beside it."""
    evaluations = [line for line in metrics if "eval_reward" in line]
    first, last = evaluations[0], evaluations[-1]
    return {
        **{name: value for name, value in last.items() if name.startswith("eval_")},
        "eval_reward_before": first["eval_reward"],
        "eval_reward_error_before": first["eval_reward_error"],
    }
