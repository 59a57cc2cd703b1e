"""The recipe of a reward model."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pointsman.problems import CrossFieldError
from training.recipe.methods import MethodRecipe
from training.recipe.parts import Lora
from training.recipe.values import Name


class RmRecipe(MethodRecipe):
    """A reward model: scores an answer by what people prefer; the result is a scoring model of its own."""

    formats: ClassVar[tuple[str, ...]] = ("pairs", "alpaca", "sharegpt")
    sections: ClassVar = {"qlora": ("qlora",)}

    stage: Literal["rm"]
    alias: Name = Field(description="the reward model's name in its manifest")
    base: str = Field(description="folder or hub id of the base")
    method: Literal["lora", "qlora", "full"] = Field(
        default="lora",
        description="which weights learn: a low-rank update, merged at the end, or all; qlora: an update of "
        "a base in 4 bits, merged into the base in full",
    )
    lora: Lora = Lora()
    margins: bool = Field(
        default=True, description="a pair's `margin`, where rows have one, must be kept between its scores"
    )
    centre: float = Field(
        default=0.01,
        ge=0,
        description="weight of the mean square of a pair's two scores added up, which keeps pairs around 0",
    )

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if problems := list(self.foreign_options()):
            raise CrossFieldError(problems)
        if self.method == "full" and self.lora != Lora():
            raise ValueError("lora: has no effect with method: full; leave one of them out")
        if self.lora.dropout:
            raise ValueError(
                "lora.dropout: must be 0, as the scores of a pair are compared and dropout would differ"
            )
        return self
