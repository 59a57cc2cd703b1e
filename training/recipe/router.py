"""The recipe of an encoder that is tuned to a router's intents."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pointsman.carried import CARRIED
from pointsman.document import Document
from training.recipe.parts import Data, DataRecipe, Rate, Tracker


class IntentData(Data):
    """Texts and what they should be routed to."""

    validation_rows: int = Field(
        default=200, ge=1, description="rows kept out of training and evaluated on, of each intent its part"
    )
    max_tokens: int = Field(default=64, ge=16, description="longer texts are cut while training")


class Tuning(Document):
    """How the encoder is changed. A step is one change of the weights."""

    epochs: float = Field(default=8.0, gt=0, le=100_000, description="passes over the rows")
    steps: int | None = Field(default=None, gt=0, description="steps to take, in place of epochs")
    batch_rows: int = Field(
        default=64, gt=1, multiple_of=2, description="texts of a step, an intent's in twos"
    )
    learning_rate: Rate = Field(
        default=1e-4, description="the highest, after warm-up; then it falls to zero at the last step"
    )
    head_rate: Rate = Field(
        default=10.0, description="times as fast the intents' directions learn as the encoder does"
    )
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's, of the encoder's weights")
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are cut to this length")
    log_every: int = Field(default=10, gt=0, description="steps between two lines of metrics")
    evaluate_every: int | None = Field(default=None, gt=0, description="steps; the end is always evaluated")
    save_every: int = Field(default=100, gt=0, description="steps between two checkpoints")


class RouterRecipe(DataRecipe):
    """An encoder of sentence-transformers learns to keep intents apart; the result is an encoder folder."""

    formats: ClassVar[tuple[str, ...]] = ("intents", "routes")
    method: ClassVar[str] = "freeze"

    stage: Literal["router"]
    base: str = Field(default=CARRIED, description="the encoder to begin with: 'carried', a folder or hub id")
    data: IntentData
    frozen: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the layers, from below, that stay; embeddings always do",
    )
    scale: float = Field(
        default=20.0, gt=0, description="logits are this times the cosine to each intent's direction"
    )
    smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="probability that is spread over all intents, not the right one"
    )
    contrast: float = Field(
        default=1.0,
        ge=0,
        description="weight of the loss that draws an intent's texts to each other, beside its direction's",
    )
    masked: float = Field(
        default=0.15, ge=0, lt=1, description="share of a text's tokens that are hidden while training"
    )
    kept: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="share of the way back to the weights of before that the result goes",
    )
    train: Tuning = Tuning()
    trackers: list[Tracker] = Field(
        default_factory=list,
        description="where else the metrics are shown; beside metrics.jsonl and curves.png",
    )

    @model_validator(mode="after")
    def _every_row_counts_once(self) -> Self:
        for i, source in enumerate(self.data.sources):
            if source.weight != 1:
                raise ValueError(
                    f"data.sources.{i}.weight: this stage sees every row once an epoch; remove it"
                )
        return self
