"""The recipe of supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.recipe.parts import Lora, Name, StageRecipe


class SftRecipe(StageRecipe):
    """Supervised fine-tuning: what the assistant says is learned, and the result is an adapter."""

    stage: Literal["sft"]
    alias: Name = Field(description="the adapter's name where it is served")
    base: str = Field(description="folder or hub id of the base")
    init_adapter: Path | None = Field(default=None, description="artefact folder of an adapter to go on from")
    lora: Lora = Lora()
