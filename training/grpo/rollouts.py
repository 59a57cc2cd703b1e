"""The vLLM that TRL's trainers ask for answers, as they ask it: ours, which knows adapters.

TRL's own (``trl.generation.VLLMGeneration``) sends all weights to a server that was started for that alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from training.online.answers import Ids, Sampler
from training.runs import processes

LogProbs = list[list[list[float]]]  # answer, token, and one: of the token that was drawn


class Rollouts:
    """Answers of ``sampler``, which all processes are given their parts of, as if one had asked for all."""

    def __init__(self, sampler: Sampler, seed: int, step: Callable[[], int]) -> None:
        """``seed`` is the recipe's; ``step`` gives the steps that have been taken."""
        self._sampler, self._seed, self._step = sampler, seed, step

    def sync_weights(self) -> None:
        """Nothing: the sampler gives the server what has changed when it samples."""

    def generate(
        self, prompts: Sequence[Ids], **_: object
    ) -> tuple[None, list[list[int]], LogProbs | None, None]:
        """An answer to each prompt of this process: their token ids, and log-probabilities in nats.

        A prompt that is to have several answers is there as often. What is drawn depends on the recipe's
        seed, the step and the prompts of all processes, in their order.
        """
        parts = processes.gathered([list(prompt) for prompt in prompts])
        [seed] = np.random.SeedSequence((self._seed, self._step() + 1)).generate_state(1)
        answers = self._sampler.sample([prompt for part in parts for prompt in part], int(seed))
        first = sum(map(len, parts[: processes.rank()]))
        mine = slice(first, first + len(prompts))
        if answers.log_probs is None:
            return None, answers.ids[mine], None, None
        return None, answers.ids[mine], [[[one] for one in row] for row in answers.log_probs[mine]], None
