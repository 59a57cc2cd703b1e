"""The recipe of proximal policy optimisation."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pointsman.document import Document
from training.recipe.online import OnlineRecipe
from training.recipe.parts import CHECKPOINTING, Rate, Texts, refuse_chosen_answers


class Kl(Document):
    """What it costs to leave the reference. Units: reward per nat."""

    coefficient: float = Field(default=0.05, ge=0, description="β; where there is a target, the first one")
    estimator: Literal["k1", "k3"] = Field(
        default="k1", description="of a token's KL: k1 = log(π/π_ref), k3 = π_ref/π - 1 + k1, never negative"
    )
    target: float | None = Field(
        default=None, gt=0, description="nats per answer that β is led to; left out, β is fixed"
    )
    rate: float = Field(default=0.1, gt=0, description="K_β: β changes by at most 0.2 of it in a step")


class ValueHead(Document):
    """What expects the reward: a small network that reads the policy's last hidden state."""

    learning_rate: Rate = Field(default=1e-3, description="its own")
    warmup_steps: int = Field(
        default=0, ge=0, description="first steps in which it alone learns and the policy stands still"
    )
    clip: float | None = Field(
        default=0.2, gt=0, description="a value may move this far in a step, in units of the reward"
    )


class Pretraining(Document):
    """Text that the policy goes on modelling, so that it forgets less (PPO-ptx)."""

    data: Texts
    coefficient: float = Field(default=1.0, gt=0, description="γ, reward units per nat of a token")
    batch_rows: int = Field(default=4, gt=0, description="sequences beside each minibatch of answers")

    @model_validator(mode="after")
    def _all_is_learned(self) -> Self:
        refuse_chosen_answers(self.data.sources, "data.sources")
        return self


class PpoOptimisation(Document):
    """How the policy is changed. A step samples answers once and goes over them some times."""

    steps: int = Field(gt=0, description="rounds of sampling and learning")
    rollout_rows: int = Field(default=64, gt=1, description="answers sampled in a step")
    epochs: int = Field(default=4, gt=0, description="passes over a step's answers")
    minibatch_rows: int = Field(default=16, gt=0, description="answers to one change of the weights")
    batch_rows: int = Field(default=16, gt=0, description="answers that go through the model at once")
    learning_rate: Rate = Field(default=1e-4, description="the policy's, in the first step")
    schedule: Literal["constant", "linear"] = Field(
        default="constant", description="linear: both learning rates fall, to zero behind the last step"
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are cut to this length")
    gamma: float = Field(default=1.0, gt=0, le=1, description="discount by token")
    lam: float = Field(default=0.95, ge=0, le=1, description="λ: 0 trusts the value head, 1 the rewards")
    clip: float = Field(default=0.2, gt=0, lt=1, description="ε: the ratio's use ends at 1 ± ε")
    entropy_coefficient: float = Field(default=0.0, ge=0, description="reward units per nat of entropy")
    normalise_rewards: bool = Field(default=True, description="by the mean and deviation of all so far")
    whiten_advantages: bool = Field(default=True, description="to mean 0 and variance 1 in each step")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="arithmetic; auto is bf16 on a GPU and fp32 on a CPU. What learns stays fp32",
    )
    gradient_checkpointing: bool = Field(default=False, description=CHECKPOINTING)
    evaluate_every: int | None = Field(
        default=None, gt=0, description="steps; the start and the end are always evaluated"
    )
    save_every: int = Field(default=20, gt=0, description="steps between two checkpoints")

    @model_validator(mode="after")
    def _minibatches_fit(self) -> Self:
        if self.minibatch_rows > self.rollout_rows:
            raise ValueError(
                f"minibatch_rows ({self.minibatch_rows}) is more than rollout_rows ({self.rollout_rows})"
            )
        return self


class PpoRecipe(OnlineRecipe):
    """PPO: rewards, a value head and a KL penalty decide what the policy says more often."""

    stage: Literal["ppo"]
    train: PpoOptimisation
    kl: Kl = Kl()
    value: ValueHead = ValueHead()
    pretraining: Pretraining | None = Field(default=None, description="left out, no text is mixed in")
