"""The recipe of quantisation."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from training.recipe.parts import Data, DataRecipe


class Calibration(Data):
    """What the base is shown while its weights are rounded, and what the cost is measured on."""

    max_tokens: int = Field(
        default=1024, ge=16, description="longer conversations are dropped, and counted; longer texts are cut"
    )
    calibration_rows: int = Field(default=256, ge=1, description="rows that the rounding is fitted to")
    batch_rows: int = Field(default=8, gt=0, description="sequences that go through the model at once")


class QuantizeRecipe(DataRecipe):
    """GPTQ (arXiv:2210.17323): the linear layers of a base in 4 or 8 bits; the result is a base again."""

    method: ClassVar[str] = "gptq"

    stage: Literal["quantize"]
    base: str = Field(description="folder or hub id of the base, which is not quantised yet")
    bits: Literal[4, 8] = Field(default=4, description="of a weight; vLLM serves 8 on a GPU only")
    group_size: Literal[32, 64, 128, -1] = Field(
        default=128,
        description="inputs of a layer that share a scale, a divisor of their number; -1: all of them",
    )
    max_cost: float | None = Field(
        default=None, gt=0, description="a larger rise of the perplexity is refused; 0.05 is 5 %"
    )
    data: Calibration
