"""The recipe of supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pointsman.problems import CrossFieldError
from training.recipe.methods import (
    CACHED,
    SECTIONS,
    VIRTUAL,
    Freeze,
    Method,
    Prefix,
    PromptTuning,
    PTuning,
    PTuningV2,
    Qlora,
    SftLora,
    Virtual,
)
from training.recipe.parts import Name, StageRecipe


class SftRecipe(StageRecipe):
    """Supervised fine-tuning: what the assistant says is learned; the method says by which weights.

    A method's options are never None, those of the others always are.
    """

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
    qlora: Qlora | None = None
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
    def paged(self) -> bool:
        """See :class:`StageRecipe`."""
        return bool(self.qlora and self.qlora.paged)

    @property
    def virtual(self) -> Virtual | None:
        """The tokens that nobody writes, where the method has them; their key is the method's name."""
        return self.prefix or self.p_tuning or self.p_tuning_v2 or self.prompt_tuning

    @model_validator(mode="before")
    @classmethod
    def _options_of_the_method(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        method = given.get("method", "lora")
        own = [section for section, methods in SECTIONS.items() if method in methods]
        return given | {section: {} for section in own if given.get(section) is None}

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        problems = [
            f"{section}: belongs to {_listed(methods)}, not to the method {self.method}; remove it"
            for section, methods in SECTIONS.items()
            if getattr(self, section) is not None and self.method not in methods
        ]
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


def _listed(methods: tuple[str, ...]) -> str:
    return f"the method{'s' if len(methods) > 1 else ''} {', '.join(methods)}"
