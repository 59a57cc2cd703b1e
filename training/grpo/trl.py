"""TRL's GRPOTrainer and RLOOTrainer as they are used here; beside :mod:`training.trainers.trl`, all of TRL.

Where they depart from TRL's: prompts come as token ids; their order within an epoch depends on seed and epoch
alone, so a resumed run asks what the first would have asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.trainer.utils import RepeatSampler

from training.grpo.pace import Pace
from training.runs import processes


class _OwnPrompts:
    """A trainer whose rows say in ``row`` which of our prompts they are; stands in front of TRL's class."""

    prompt_ids: Sequence[Sequence[int]]
    pace: Pace
    model: Any

    def sample_by(self, rollouts: Any) -> None:
        """Have ``rollouts`` answer, in place of the model here, see :mod:`training.grpo.rollouts`.

        TRL is told only when it has been made: told before, it would want a server of its own. Its other
        hook, ``rollout_func``, is GRPO's alone, and without a server nothing is corrected for the sampler.
        """
        self.use_vllm, self.vllm_generation = True, rollouts
        self._last_loaded_step = -1

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Any:
        self._asked = [row["row"] for row in inputs]
        return super()._generate_and_score_completions(inputs)  # type: ignore[misc]

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(self.prompt_ids[row]) for row in self._asked], None, {}

    def _generate_single_turn(self, *given: Any, **named: Any) -> Any:
        with self.pace.sampled():
            found = super()._generate_single_turn(*given, **named)  # type: ignore[misc]
        answers = found[0] if isinstance(found, tuple) else found  # GRPO's come with log-probabilities
        self.pace.tokens += sum(processes.gathered(sum(map(len, answers))))
        return found

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # The library would load the reference, which lies in a folder of its own, and leave out the adapter
        # that learns: the run would begin anew.
        self.model.load_adapter(resume_from_checkpoint, "default", is_trainable=True)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        made: Any = super()._get_train_sampler(dataset)  # type: ignore[misc]
        made.__class__ = _EpochSampler
        return made

    def get_train_dataloader(self) -> Any:
        loader: Any = super().get_train_dataloader()  # type: ignore[misc]
        if processes.count() > 1:
            # Where a resumed run passes over batches, accelerate looks for who is to be told the epoch here.
            loader.batch_sampler.sampler = loader.batch_sampler.batch_sampler.sampler
        return loader

    def create_model_card(self, **_: Any) -> None:
        """None is written: the manifest says it all."""


class Grpo(_OwnPrompts, GRPOTrainer):  # type: ignore[misc]
    """Advantages are measured against the group of a prompt's answers."""

    Config: ClassVar = GRPOConfig


class Rloo(_OwnPrompts, RLOOTrainer):  # type: ignore[misc]
    """Advantages are measured against the other answers of the group."""

    Config: ClassVar = RLOOConfig


class _EpochSampler(RepeatSampler):  # type: ignore[misc]
    """TRL's order within an epoch, from seed and epoch alone: TRL's own depends on the epochs before."""

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of an epoch."""
        self.generator.manual_seed(int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]))
