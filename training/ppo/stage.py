"""The stage ``ppo``: sample answers, score them, learn from them, again and again.

``pointsman train deploy/demo/recipes/ppo.yaml``
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from training.data.preparing.collection import Report
from training.online import prompts, session
from training.online.scoring import scored
from training.online.session import Session
from training.ppo import checkpoint as checkpoints
from training.ppo import documents
from training.ppo.learner import Learner
from training.recipe import PpoRecipe
from training.runs import processes
from training.runs.curves import Panel
from training.runs.folder import RunFolder

PARTS = ("sampling_seconds", "scoring_seconds", "learning_seconds")  # of a step, in the metrics


def train(recipe: PpoRecipe, run: RunFolder, report: Report) -> Path:
    """Train and return the artefact's folder: the adapter, without its value head.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    return session.train(recipe, run, report, Ppo)


class Ppo:
    """See :class:`training.online.session.Stage`."""

    panels = (
        Panel("reward", {"reward": "-", "eval_reward": "o--"}, height=2),
        Panel("nats per answer", {"kl": "-", "eval_kl": "o--"}),
        Panel("share", {"clip_fraction": "-", "explained_variance": "-"}),
        Panel("nats per token", {"entropy": "-"}),
    )

    def __init__(self, recipe: PpoRecipe, given: Session) -> None:
        self.recipe, self.session = recipe, given
        self.hashes: dict[str, str] = {}
        texts = None
        if recipe.pretraining:
            texts, self.hashes = documents.load(
                recipe.pretraining,
                recipe.base,
                seed=recipe.seed,
                pad=given.policy.pad,
                device=given.policy.device,
                report=given.report,
            )
        self.learner = Learner(recipe, given.policy, texts)

    def learn(self, checkpoint: Path | None) -> None:
        """Take all steps, or those behind ``checkpoint``."""
        plan, given = self.recipe.train, self.session
        first = 1
        if checkpoint:
            checkpoints.load(self.learner, checkpoint)
            first += int(checkpoint.name.rpartition("-")[2])
        for step in range(first, plan.steps + 1):
            line = self._step(step)
            given.run.add_metrics({"step": step} | {name: round(value, 6) for name, value in line.items()})
            given.bar.move(step)
            given.bar.say(step, f"reward {line['reward']:.4f}, KL {line['kl']:.3f} nats an answer")
            if plan.evaluate_every and step % plan.evaluate_every == 0 and step < plan.steps:
                given.evaluate(step)
            if step % plan.save_every == 0 or step == plan.steps:
                if given.run.keeper:
                    checkpoints.save(self.learner, given.run.checkpoints, step)
                processes.wait()  # a process that went on could be killed ahead of what is kept

    def _step(self, step: int) -> dict[str, float]:
        plan, given = self.recipe.train, self.session
        began = time.monotonic()
        sampling, learning = np.random.SeedSequence((self.recipe.seed, step)).generate_state(2)
        asked = prompts.of_step(given.prompts.train, plan.rollout_rows, step, self.recipe.seed)
        ids = [prompt.ids for prompt in asked]
        answers = given.sampler.sample(ids, int(sampling))
        sampled = time.monotonic()
        worth, means = scored(
            given.rewards, asked, answers, given.tokenizer, self.recipe.sampling.unstopped_penalty
        )
        judged = time.monotonic()
        line = self.learner.step(step, ids, answers, torch.from_numpy(worth), int(learning))
        ended = time.monotonic()
        line |= {f"reward_{name}": mean for name, mean in means.items()}
        tokens = sum(map(len, answers.ids))
        line["tokens_per_second"] = round(tokens / max(ended - began, 1e-9), 1)
        for part, seconds in zip(PARTS, (sampled - began, judged - sampled, ended - judged), strict=True):
            line[part] = seconds
        return line
