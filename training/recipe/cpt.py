"""The recipe of continued pre-training, from a base that exists or from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pointsman.document import Document
from training.recipe.parts import StageRecipe


class Architecture(Document):
    """A Llama to be made from nothing."""

    hidden_size: int = Field(gt=0, description="width of the residual stream")
    layers: int = Field(gt=0, description="transformer blocks")
    heads: int = Field(gt=0, description="attention heads; each has hidden_size / heads dimensions")
    kv_heads: int = Field(gt=0, description="key-value heads; fewer than heads is grouped-query attention")
    intermediate_size: int = Field(gt=0, description="width of the feed-forward layer")
    context: int = Field(gt=0, description="longest input, in tokens")
    rope_theta: float = Field(default=10_000.0, gt=0, description="base of the rotary frequencies")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden_size % self.heads or self.hidden_size // self.heads % 2:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) over heads ({self.heads}) must be a whole, even number"
            )
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")
        return self


class TokenizerPlan(Document):
    """A tokenizer to be trained from the recipe's own data."""

    vocab_size: int = Field(ge=300, description="tokens in all; 256 of them are the bytes")
    sample_rows: int = Field(default=20_000, gt=0, description="rows that the merges are learned from")
    chat_template: Path = Field(description="the Jinja file that goes with it")


class CptRecipe(StageRecipe):
    """Continued pre-training: every token of the text is learned, and the result is a base."""

    stage: Literal["cpt"]
    base: str | None = Field(default=None, description="folder or hub id to go on from")
    model: Architecture | None = Field(default=None, description="the base to make, where there is none")
    tokenizer: TokenizerPlan | None = Field(default=None, description="needed with model")

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.base is None) == (self.model is None):
            raise ValueError("give either base (to go on from one) or model (to make one)")
        if (self.model is None) != (self.tokenizer is None):
            raise ValueError("model and tokenizer go together: a base from nothing needs both")
        return self
