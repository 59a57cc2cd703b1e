"""The recipe of supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pointsman.problems import CrossFieldError
from training.recipe.methods import (
    CACHED,
    SECTIONS,
    VIRTUAL,
    Freeze,
    Method,
    MethodRecipe,
    Prefix,
    PromptTuning,
    PTuning,
    PTuningV2,
    SftLora,
    Virtual,
)
from training.recipe.values import Name


class SftRecipe(MethodRecipe):
    """Supervised fine-tuning: what the assistant says is learned; the method says by which weights."""

    sections: ClassVar = SECTIONS
    answers: ClassVar[bool] = True

    stage: Literal["sft"]
    alias: Name = Field(description="the adapter's name where it is served")
    base: str = Field(description="folder or hub id of the base")
    method: Method = Field(default="lora", description="which weights learn; vLLM serves lora and qlora")
    init_adapter: Path | None = Field(default=None, description="artefact folder of an adapter to go on from")
    packing: bool = Field(
        default=False,
        description="lay several rows into one sequence of data.max_tokens, where none sees another; "
        "train.batch_rows then counts such sequences",
    )
    lora: SftLora | None = None
    freeze: Freeze | None = None
    prefix: Prefix | None = None
    p_tuning: PTuning | None = None
    p_tuning_v2: PTuningV2 | None = None
    prompt_tuning: PromptTuning | None = None

    @property
    def lora_plus(self) -> float:
        """See :class:`StageRecipe`."""
        return self.lora.plus if self.lora else 1.0

    @property
    def virtual(self) -> Virtual | None:
        """The tokens that nobody writes, where the method has them; their key is the method's name."""
        return self.prefix or self.p_tuning or self.p_tuning_v2 or self.prompt_tuning

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        problems = list(self.foreign_options())
        if self.init_adapter is not None and self.method not in ("lora", "qlora"):
            problems.append(f"init_adapter: the method {self.method} begins anew; only lora and qlora go on")
        if self.packing and self.method in VIRTUAL:
            problems.append(
                f"packing: the method {self.method} puts its virtual tokens in front of a sequence, so each "
                "row needs one of its own; leave packing out"
            )
        if self.train.gradient_checkpointing and self.method in CACHED:
            problems.append(
                f"train.gradient_checkpointing: the method {self.method} learns keys and values that every "
                "layer reads from a cache, which a layer computed again would fill twice; leave it out"
            )
        if self.method == "pissa" and self.lora and (self.lora.rank_pattern or self.lora.alpha_pattern):
            problems.append("lora: pissa takes no rank_pattern and no alpha_pattern")
        if problems:
            raise CrossFieldError(problems)
        return self
