"""The recipe of policy optimisation without a value head: GRPO and RLOO."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pointsman.document import Document
from pointsman.problems import CrossFieldError
from training.recipe.online import OnlineRecipe
from training.recipe.parts import CHECKPOINTING, Rate


class GroupOptimisation(Document):
    """How the policy is changed. A step is one change of the weights."""

    steps: int = Field(gt=0, description="changes of the weights")
    batch_rows: int = Field(default=16, gt=0, description="answers that go through the model at once")
    accumulate: int = Field(default=1, gt=0, description="batches added up before a step")
    learning_rate: Rate = Field(default=1e-4, description="the highest, after warm-up")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="constant", description="how the learning rate falls after warm-up, to zero at the last step"
    )
    warmup: float = Field(default=0.0, ge=0, lt=1, description="share of the steps in which the rate rises")
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are cut to this length")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="arithmetic; auto is bf16 on a GPU and fp32 on a CPU. What learns stays fp32",
    )
    gradient_checkpointing: bool = Field(default=False, description=CHECKPOINTING)
    log_every: int = Field(default=1, gt=0, description="steps between two lines of metrics")
    evaluate_every: int | None = Field(
        default=None, gt=0, description="steps; the start and the end are always evaluated"
    )
    save_every: int = Field(default=20, gt=0, description="steps between two checkpoints")


class GrpoRecipe(OnlineRecipe):
    """Several answers to each prompt are compared with each other, in place of a value head."""

    stage: Literal["grpo"]
    algorithm: Literal["grpo", "rloo"] = Field(
        default="grpo", description="rloo: an answer against the mean of the others of its prompt"
    )
    generations: int = Field(default=8, ge=2, description="answers to each prompt")
    iterations: int = Field(default=1, gt=0, description="μ: steps on the same answers")
    clip: float = Field(default=0.2, gt=0, lt=1, description="ε: the ratio's use ends at 1 ± ε")
    clip_high: float | None = Field(
        default=None, gt=0, description="it ends at 1 + this, if given; DAPO's is 0.28 (arXiv:2503.14476)"
    )
    loss: Literal["dapo", "dr_grpo", "bnpo", "grpo"] | None = Field(
        default=None,
        description="how grpo averages over tokens: dapo, if left out, over all of a step; dr_grpo over "
        "sampling.max_new_tokens an answer (arXiv:2503.20783); bnpo over those of a batch; grpo over each "
        "answer's own, which is biased by length (arXiv:2402.03300)",
    )
    scale_rewards: Literal["group", "batch", "none"] | None = Field(
        default=None,
        description="whose standard deviation grpo's rewards are divided by: their prompt's group's, if left "
        "out; none as in Dr. GRPO",
    )
    kl_coefficient: float = Field(default=0.05, ge=0, description="β, reward units per nat")
    train: GroupOptimisation

    @model_validator(mode="before")
    @classmethod
    def _scales_by_the_group(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("algorithm", "grpo") != "grpo":
            return given
        if given.get("scale_rewards", "") is None:  # YAML's null is one word away from none
            raise CrossFieldError(
                ["scale_rewards: is empty; write none to divide by nothing, or leave it out, which is group"]
            )
        return {"scale_rewards": "group"} | given

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        foreign = [name for name in ("loss", "scale_rewards") if getattr(self, name) is not None]
        if self.algorithm == "rloo" and foreign:
            raise CrossFieldError([f"{name}: belongs to the algorithm grpo, not to rloo" for name in foreign])
        if self.clip_high is not None and self.clip_high < self.clip:
            raise ValueError(f"clip_high: must be at least clip ({self.clip:g}), found {self.clip_high:g}")
        return self

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        rows = self.train.batch_rows * self.train.accumulate
        if rows % self.generations:
            raise ValueError(
                f"train.batch_rows × train.accumulate ({rows}) must be a multiple of generations "
                f"({self.generations}): a prompt's answers are compared within one step"
            )
        if self.train.save_every % self.iterations:
            raise ValueError(
                f"train.save_every ({self.train.save_every}) must be a multiple of iterations "
                f"({self.iterations}): a checkpoint between two of them would lose their answers"
            )
        return self
