"""How good the policy is on prompts that it does not learn from, and how far from its reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from training.errors import RewardError
from training.online.answers import Sampler
from training.online.policy import Policy, log_probs
from training.online.prompts import Prompt
from training.online.rewards import Rewards
from training.online.scoring import scored
from training.recipe import OnlineRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def evaluate(
    policy: Policy,
    sampler: Sampler,
    rewards: Rewards,
    prompts: Sequence[Prompt],
    *,
    tokenizer: PreTrainedTokenizerBase,
    recipe: OnlineRecipe,
) -> dict[str, float]:
    """One answer to each prompt, sampled with the same seed every time, as metrics.

    ``eval_reward`` and its standard error ``eval_reward_error``; ``eval_reward_<name>`` of each reward;
    ``eval_kl``, nats per answer: the mean over answers of ``Σ_t log(π/π_ref)``; ``eval_tokens`` per answer;
    ``eval_stopped``, the share that ended by itself.

    Raises:
        RewardError: a reward fails, or none says anything of any of these answers.
    """
    answers = sampler.sample([prompt.ids for prompt in prompts], recipe.seed)
    worth, means = scored(rewards, prompts, answers, tokenizer, recipe.sampling.unstopped_penalty)
    if not means:
        raise RewardError(
            f"rewards: {', '.join(part.name for part in rewards.parts)} gave None or NaN for each of the "
            f"{len(prompts)} held-out answers, so nothing would be learned; the first answer: "
            f"{answers.texts(tokenizer)[0][:100]!r}"
        )
    kl = []
    for start in range(0, len(prompts), recipe.sampling.batch_rows):
        rows = slice(start, start + recipe.sampling.batch_rows)
        layout = policy.layout([prompt.ids for prompt in prompts[rows]], answers.ids[rows])
        with torch.no_grad():
            ratio = log_probs(policy.logits(layout)[0], layout.answers)
            ratio = ratio - policy.reference_log_probs(layout)
        kl += (ratio * layout.answer_mask).sum(1).tolist()
    return {
        "eval_reward": float(worth.mean()),
        "eval_reward_error": float(worth.std(ddof=1) / math.sqrt(len(worth))) if len(worth) > 1 else 0.0,
        **{f"eval_reward_{name}": mean for name, mean in means.items()},
        "eval_kl": float(np.mean(kl)),
        "eval_tokens": float(np.mean([len(ids) for ids in answers.ids])),
        "eval_stopped": float(np.mean(answers.stopped)),
    }
