"""TRL's SFTTrainer with every held-out text measured by itself, before, on the way and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.cpt import gain, heldout, releases, stage, vocabulary
from training.cpt.forgetting import Bound, pooled
from training.cpt.heldout import NATS, Likelihood, Text
from training.cpt.mixture import Mixture
from training.data.preparing.collection import Report
from training.data.tokens.token_rows import TokenRows
from training.errors import RunConflict
from training.methods import lora
from training.models import base
from training.recipe import CptRecipe
from training.runs.folder import RunFolder
from training.trainers import likelihood, loop, trl
from training.trainers.supervised import Given


@dataclass(slots=True)
class Watch:
    """What is measured on the way."""

    texts: list[Text]
    bound: Bound | None
    run: RunFolder

    def of(self, general: bool) -> list[Text]:
        """The general texts, or the new ones."""
        return [text for text in self.texts if text.general == general]

    @property
    def before(self) -> dict[str, float]:
        """Name of each text → nats per token under the base; empty where it was made from nothing."""
        first = next(iter(self.run.read_metrics()), {})
        return by_name(first) if first.get("step") == 0 else {}

    def refuse_other_names(self) -> None:
        """Make sure that what is measured can be compared with the evaluation of the base.

        Raises:
            RunConflict: an older release, which called the texts otherwise, has begun the run.
        """
        before, now = self.before, {text.name for text in self.texts}
        if before and before.keys() != now:
            raise RunConflict(
                f"{self.run.path} was begun by an older release, which called its held-out texts "
                f"{', '.join(sorted(before))} in {self.run.metrics.name}; here they are "
                f"{', '.join(sorted(now))}, so it can't go on. Give this recipe another name "
                "(--set name=...) to begin again, or remove the folder"
            )


class CptTrainer(trl.Likelihood):
    """Measures every text by itself, and stops at the bound."""

    recipe: CptRecipe
    watch: Watch
    control: Any

    def nats(self, model: Any, rows: TokenRows) -> Likelihood:
        """How likely ``model`` finds ``rows``, by the arithmetic of training."""
        return heldout.likelihood(
            model,
            rows,
            block=self.recipe.data.max_tokens,
            batch_rows=self.recipe.train.batch_rows,
            pad=int(self.processing_class.pad_token_id),
            arithmetic=torch.autocast(model.device.type, torch.bfloat16, enabled=self.args.bf16),
        )

    def measured(self) -> dict[str, float]:
        """Loss and accuracy on the new texts, by the tokens that are trained, and nats on every text."""
        found = {text.name: self.nats(self.model, text.rows) for text in self.watch.texts}
        new = [found[text.name] for text in self.watch.of(general=False)]
        tokens = sum(one.tokens for one in new)
        return {
            "eval_loss": sum(one.nats for one in new) / tokens,
            "eval_mean_token_accuracy": sum(one.right for one in new) / tokens,
        } | {NATS + text.name: found[text.name].nats / text.base_tokens for text in self.watch.texts}

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        if resume_from_checkpoint is not None:
            self.watch.refuse_other_names()
        elif self.recipe.base:
            self._measure_base()
        return super().train(resume_from_checkpoint, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        metrics = self.measured()
        self.model.eval()  # else TRL would log its means of the training steps among these
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        if self.watch.bound:
            self.watch.bound.judge(self.forgetting(metrics), self.model, self.state, self.control)
        return metrics

    def forgetting(self, metrics: Mapping[str, float]) -> float:
        """Nats per token that the general texts are less likely by than under the base."""
        before, general = self.watch.before, self.watch.of(general=True)
        if not before:
            raise RunConflict(
                f"{self.watch.run.metrics} does not hold the evaluation of the base any more, so nothing can "
                "be compared with it; remove the run's folder to begin again"
            )
        return pooled(general, by_name(metrics)) - pooled(general, before)

    def _measure_base(self) -> None:
        """Write how likely the base finds the texts, as step 0."""
        model = self.model
        if self.recipe.vocabulary:  # as it was, with its own tokens
            model = base.load_model(self.recipe.base or "").to(self.model.device)
        nats = {
            NATS + text.name: self.nats(model, text.base_rows).nats / text.base_tokens
            for text in self.watch.texts
        }
        self.watch.run.add_metrics({"step": 0, "epoch": 0.0} | nats)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        stage.save_embeddings(self.recipe, self.model, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        stage.load_embeddings(self.recipe, model or self.model, Path(resume_from_checkpoint))


def build(recipe: CptRecipe, given: Given) -> CptTrainer:
    """The trainer of the new and the replayed texts, packed into blocks where they do not see each other."""
    run, model, tokenizer = given.run, given.model, given.tokenizer
    prepared: Any = given.prepared
    found = vocabulary.pieces(base.load_tokenizer(recipe.base or ""), tokenizer) if recipe.vocabulary else {}
    schedule = stage.schedule(recipe, model)
    learns = frozenset(name for name, weight in model.named_parameters() if weight.requires_grad)
    bound = Bound(recipe.bound, run, learns) if recipe.bound is not None else None
    block = recipe.data.max_tokens
    made: CptTrainer = likelihood.build(
        recipe,
        replace(given, callbacks=[*given.callbacks, *filter(None, (schedule, bound))]),
        trl.packed(prepared.train, block),
        trl.packed(prepared.validation, block),
        CptTrainer,
    )
    releases.refuse_late(recipe, loop.steps(made))
    made.recipe = recipe
    made.watch = Watch(heldout.texts(prepared, found, tokenizer, block), bound, run)
    _say_mixture(prepared, given.report)
    return made


def close(recipe: CptRecipe, training: CptTrainer, report: Report) -> dict[str, float]:
    """Measure the weights as they are served: the last, or those within the bound if it was passed."""
    watch, model = training.watch, training.model
    steps: dict[str, float] = {}
    if watch.bound:
        forgetting = training.forgetting(training.measured())
        if watch.bound.stopped is not None or forgetting > watch.bound.bound:
            step = watch.bound.restore(model, forgetting)
            steps = {"steps": float(step)}
            report(
                f"{recipe.name}: at step {training.state.global_step} the general text was {forgetting:.4f} "
                f"nats per token worse, the bound is {watch.bound.bound:g}; the result is that of step {step}"
            )
    if stage.gives_base(recipe):
        lora.settle(model)
    else:
        base.round_to_served(model)
    metrics = training.measured()
    if not steps:
        model.eval()
        training.log(metrics)
    before, after = watch.before, by_name(metrics)
    lines = gain.lines(watch.texts, before, after)
    if watch.run.keeper:
        gain.write(lines, watch.texts, watch.run, recipe.name, recipe.bound)
    report(gain.table(lines))
    return steps | _numbers(training, metrics, before)


def _numbers(training: CptTrainer, metrics: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """For the manifest."""
    found = {
        "eval_loss": metrics["eval_loss"],
        "eval_token_accuracy": metrics["eval_mean_token_accuracy"],
    }
    after = by_name(metrics)
    for kind, texts in (
        ("new", training.watch.of(general=False)),
        ("general", training.watch.of(general=True)),
    ):
        if texts:
            found[f"{kind}_perplexity"] = heldout.perplexity(pooled(texts, after))
            if before:
                found[f"{kind}_perplexity_before"] = heldout.perplexity(pooled(texts, before))
    if before and training.watch.of(general=True):
        found["forgetting"] = training.forgetting(metrics)
    return found


def _say_mixture(prepared: Mixture, report: Report) -> None:
    total = sum(prepared.tokens.values())
    if len(prepared.tokens) > 1:
        parts = [f"{name} {tokens / total:.1%}" for name, tokens in prepared.tokens.items()]
        report(f"tokens of an epoch: {', '.join(parts)}")


def by_name(metrics: Mapping[str, float]) -> dict[str, float]:
    """Name of each text → its nats per token in a line of metrics."""
    return {name.removeprefix(NATS): value for name, value in metrics.items() if name.startswith(NATS)}
