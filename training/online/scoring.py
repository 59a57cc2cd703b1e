"""From sampled answers to what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.online.answers import Answers
from training.online.prompts import Prompt
from training.online.rewards import Rewards

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def scored(
    rewards: Rewards,
    prompts: Sequence[Prompt],
    answers: Answers,
    tokenizer: PreTrainedTokenizerBase,
    unstopped_penalty: float,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Each answer's worth, (N,): the weighted rewards, less the penalty where it did not stop.

    Beside it the mean of each reward, by its name.

    Raises:
        RewardError: a reward fails.
    """
    scores, means = rewards.score(
        [prompt.messages for prompt in prompts], answers.texts(tokenizer), columns(prompts)
    )
    return scores - unstopped_penalty * ~np.array(answers.stopped), means


def columns(prompts: Sequence[Prompt]) -> dict[str, list[Any]]:
    """What the prompts' rows say besides, each column (N,); None where a row does not have it."""
    names = dict.fromkeys(name for prompt in prompts for name in prompt.columns)
    return {name: [prompt.columns.get(name) for prompt in prompts] for name in names}
