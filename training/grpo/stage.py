"""The stage ``grpo``: TRL's GRPOTrainer or RLOOTrainer with our prompts and rewards.

Prompts come with their token ids, so a row's own tools are in them and what is asked is what serving would
ask; and an answer that was cut pays a stated penalty.

``pointsman train deploy/demo/recipes/grpo.yaml``
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from training.data.preparing.collection import Report
from training.errors import LossNotFinite
from training.grpo import trl
from training.grpo.asking import refuse_too_few
from training.grpo.pace import Pace
from training.grpo.rollouts import Rollouts
from training.online import session
from training.online.answers import Answers
from training.online.prompts import Prompt
from training.online.rewards import Reward
from training.online.scoring import columns
from training.online.session import Session
from training.recipe import GrpoRecipe
from training.runs import processes, whole
from training.runs.curves import Panel
from training.runs.folder import RunFolder
from training.trainers import loop

TRUNCATED = 3.0  # the most that a token's loss is multiplied by for what the sampler thought of it; TRL's
NAMES = {
    "loss": "loss",
    "reward": "reward",
    "reward_std": "reward_deviation",
    "frac_reward_zero_std": "equal_groups",  # share of the prompts whose answers all got the same reward
    "kl": "token_kl",
    "entropy": "entropy",
    "completions/mean_length": "tokens",
    "clip_ratio/region_mean": "clip_fraction",
    # of a token's log-probability by the server that drew it and by the policy here, in nats
    "sampling/sampling_logp_difference/mean": "sampling_difference",
    "sampling/sampling_logp_difference/max": "sampling_difference_max",
    "sampling/importance_sampling_ratio/mean": "sampling_ratio",  # that the token's loss is multiplied by
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
}


def train(recipe: GrpoRecipe, run: RunFolder, report: Report) -> Path:
    """Train and return the artefact's folder.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    return session.train(recipe, run, report, Grpo)


class Grpo:
    """See :class:`training.online.session.Stage`."""

    panels = (
        Panel("reward", {"reward": "-", "eval_reward": "o--"}, height=2),
        Panel("nats per answer", {"eval_kl": "o--"}),
        Panel("nats per token", {"token_kl": "-", "entropy": "-", "sampling_difference": ":"}),
        Panel("share", {"clip_fraction": "-", "equal_groups": "-"}),
    )

    def __init__(self, recipe: GrpoRecipe, given: Session) -> None:
        self.hashes: dict[str, str] = {}
        refuse_too_few(recipe, len(given.prompts.train))
        self._trainer = _build(recipe, given)

    def learn(self, checkpoint: Path | None) -> None:
        """Take all steps, or those behind ``checkpoint``."""
        loop.train(self._trainer, checkpoint)
        self._trainer.model.eval()


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Writes the metrics, shows where the run is, evaluates, and stops it when the loss is no number."""

    def __init__(self, recipe: GrpoRecipe, given: Session, pace: Pace) -> None:
        self._recipe, self._session, self._pace = recipe, given, pace
        self._names = NAMES | {
            f"rewards/{reward.name}/mean": f"reward_{reward.name}" for reward in given.rewards.parts
        }

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        self._pace.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Move the bar; evaluate where the recipe says so."""
        self._pace.end()
        self._session.bar.move(state.global_step)
        every = self._recipe.train.evaluate_every
        if every and state.global_step % every == 0 and state.global_step < state.max_steps:
            model.eval()
            self._session.evaluate(state.global_step)
            model.train()
        if control.should_save:
            control.should_log = True  # so no checkpoint keeps a loss that is none, or half a line of metrics

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep the numbers; a loss that is none stops the run."""
        found = {
            ours: logs[name] for name, ours in self._names.items() if logs and logs.get(name) is not None
        }
        if "loss" not in found:
            return  # the trainer's closing summary
        if (cut := (logs or {}).get("completions/clipped_ratio")) is not None:
            found["stopped"] = 1 - cut
        for name in ("loss", "grad_norm"):
            if not math.isfinite(found.get(name, 0.0)):
                raise LossNotFinite(
                    f"the {name.replace('_', ' ')} is {found[name]} at step {state.global_step}; a lower "
                    f"learning_rate (now {args.learning_rate:g}), or precision: fp32 usually helps"
                )
        found |= self._pace.line()
        line = {"step": state.global_step} | {name: round(float(value), 6) for name, value in found.items()}
        self._session.run.add_metrics(line)
        # a step on answers of the step before (iterations) has no reward of its own
        rewarded = f"reward {line['reward']:.4f}, " if "reward" in line else ""
        self._session.bar.say(state.global_step, f"{rewarded}loss {line['loss']:.4f}")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as whole: the trainer calls this after its last file."""
        processes.wait()  # each writes its own random state
        if self._session.run.keeper:
            whole.mark(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def _build(recipe: GrpoRecipe, given: Session) -> Any:
    plan, gpu = recipe.train, torch.cuda.is_available()
    functions, weights = _reward_functions(recipe, given)
    pace = Pace()
    common = {
        "output_dir": str(given.run.checkpoints),
        "max_steps": plan.steps,
        "per_device_train_batch_size": plan.batch_rows,
        "gradient_accumulation_steps": processes.share(plan.accumulate),
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.schedule,
        "warmup_steps": plan.warmup,
        "max_grad_norm": plan.max_grad_norm,
        "adam_beta2": 0.95,  # as in the other stages
        "optim": "adamw_torch_fused" if gpu else "adamw_torch",
        "bf16": given.policy.precision == torch.bfloat16,
        "use_cpu": not gpu,
        "ddp_find_unused_parameters": False,
        "gradient_checkpointing": False,  # the model does it itself: models.recomputing
        "logging_steps": plan.log_every,
        "logging_nan_inf_filter": False,  # a NaN must be seen, not averaged away
        "save_strategy": "steps",
        "save_steps": plan.save_every,
        "save_total_limit": 2,  # the last, and the one before it while the last is being written
        "dataloader_pin_memory": gpu,
        "seed": recipe.seed,
        "report_to": [],
        "disable_tqdm": True,
        "num_generations": recipe.generations,
        "num_iterations": recipe.iterations,
        "epsilon": recipe.clip,
        "epsilon_high": recipe.clip_high,
        "beta": recipe.kl_coefficient,
        "temperature": recipe.sampling.temperature,
        "max_completion_length": recipe.sampling.max_new_tokens,
        "reward_weights": weights,
    }
    kind: Any = trl.Rloo
    if recipe.algorithm == "grpo":
        kind = trl.Grpo
        common |= {
            "loss_type": recipe.loss or "dapo",
            "scale_rewards": recipe.scale_rewards,
            "vllm_importance_sampling_mode": "token_truncate",  # where a server samples
            "vllm_importance_sampling_clip_max": TRUNCATED,
        }
    made = kind(
        model=given.policy.model,
        reward_funcs=functions,
        args=kind.Config(**common),
        train_dataset=_numbered(given.prompts.train),
        processing_class=given.tokenizer,
        callbacks=[_Watch(recipe, given, pace)],
    )
    made.pace = pace
    made.prompt_ids = [prompt.ids for prompt in given.prompts.train]
    if recipe.server:
        made.sample_by(Rollouts(given.sampler, recipe.seed, lambda: made.state.global_step))
    made.remove_callback(PrinterCallback)
    return made


def _numbered(prompts: Sequence[Prompt]) -> Any:
    """One row a prompt: what TRL calls its text, and its number, by which all else is found."""
    return Dataset.from_dict(
        {"prompt": [str(i) for i in range(len(prompts))], "row": list(range(len(prompts)))}
    )


def _reward_functions(
    recipe: GrpoRecipe, given: Session
) -> tuple[list[Callable[..., list[float | None]]], list[float]]:
    """The rewards as TRL calls them, one function each and one for answers that were cut; their weights."""

    def by(reward: Reward, row: list[int], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        asked = [given.prompts.train[i] for i in row]
        answers = _answers(completion_ids, given.policy.stops)
        messages = [prompt.messages for prompt in asked]
        scores = reward.score(messages, answers.texts(given.tokenizer), columns(asked))
        return [None if math.isnan(score) else float(score) for score in scores]

    def unstopped(completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        return [float(not stopped) for stopped in _answers(completion_ids, given.policy.stops).stopped]

    functions: list[Callable[..., list[float | None]]] = []
    for reward in given.rewards.parts:
        function: Any = partial(by, reward)
        function.__name__ = reward.name
        functions.append(function)
    weights = [reward.weight for reward in given.rewards.parts]
    if recipe.sampling.unstopped_penalty:
        functions.append(unstopped)
        weights.append(-recipe.sampling.unstopped_penalty)
    return functions, weights


def _answers(completion_ids: Sequence[list[int]], stops: Sequence[int]) -> Answers:
    return Answers(list(completion_ids), [ids[-1] in stops for ids in completion_ids])
