"""The recipe of direct preference optimisation and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pointsman.problems import CrossFieldError
from training.recipe.methods import MethodRecipe
from training.recipe.parts import Lora
from training.recipe.values import Name

Loss = Literal["sigmoid", "ipo", "hinge", "robust", "kto", "orpo", "simpo"]
BETA: dict[Loss, float] = {  # as the papers use them
    "sigmoid": 0.1,
    "ipo": 0.1,
    "hinge": 0.1,
    "robust": 0.1,
    "kto": 0.1,
    "orpo": 0.1,
    "simpo": 2.0,
}
REFERENCE_FREE: tuple[Loss, ...] = ("orpo", "simpo")
OPTIONS: dict[str, tuple[Loss, ...]] = {  # option → the losses that have it
    "label_smoothing": ("sigmoid", "robust", "simpo"),
    "gamma": ("simpo",),
    "sft_weight": ("sigmoid", "ipo", "hinge", "robust", "simpo"),
    "desirable_weight": ("kto",),
    "undesirable_weight": ("kto",),
}


class DpoRecipe(MethodRecipe):
    """Direct preference optimisation: better answers become likelier than worse; an adapter."""

    formats: ClassVar[tuple[str, ...]] = ("pairs", "alpaca", "sharegpt", "labels")
    sections: ClassVar = {"qlora": ("qlora",)}

    stage: Literal["dpo"]
    alias: Name = Field(description="the adapter's name where it is served")
    base: str = Field(description="folder or hub id of the base")
    init_adapter: Path | None = Field(
        default=None, description="artefact folder of an adapter to go on from; it is the reference then"
    )
    method: Literal["lora", "qlora"] = Field(
        default="lora", description="qlora: on a base in 4 bits, which is the reference too"
    )
    lora: Lora = Lora()
    loss: Loss = Field(
        default="sigmoid",
        description="sigmoid is DPO's own; ipo is on means over tokens, as TRL's; orpo and simpo need no "
        "reference",
    )
    beta: float | None = Field(
        default=None, gt=0, description="how strongly the reference holds; 0.1, and 2.0 for simpo"
    )
    label_smoothing: float | None = Field(
        default=None,
        ge=0,
        lt=0.5,
        description="share of pairs that are taken to be the wrong way round; sigmoid is then cDPO",
    )
    gamma: float | None = Field(default=None, ge=0, description="simpo's margin between the rewards; 1.0")
    sft_weight: float | None = Field(
        default=None, ge=0, description="weight of the chosen answers' own loss, added to the preference's"
    )
    desirable_weight: float | None = Field(default=None, gt=0, description="kto's of good answers; 1.0")
    undesirable_weight: float | None = Field(default=None, gt=0, description="kto's of bad answers; 1.0")
    chosen_fall: float = Field(
        default=5.0,
        gt=0,
        description="nats that the chosen answers' mean log-probability may fall under the start's before a "
        "warning; 5 makes them 150 times less likely",
    )

    @property
    def temperature(self) -> float:
        """``beta``, or the loss's usual one."""
        return BETA[self.loss] if self.beta is None else self.beta

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        problems = [*self.foreign_options(), *self._foreign_to_the_loss()]
        if self.loss == "robust" and self.label_smoothing is None:
            problems.append("label_smoothing: robust needs it; 0.1 if a tenth of the pairs may be wrong")
        if self.lora.dropout:
            problems.append("lora.dropout: must be 0, as it would be noise in the compared log-probabilities")
        if self.loss == "kto" and self.train.batch_rows < 2:
            problems.append(
                "train.batch_rows: kto compares an answer with the others of its batch; 2 or more"
            )
        if self.loss != "kto" and any(getattr(s, "format", "") == "labels" for s in self.data.sources):
            problems.append(
                f"data.sources: rows with labels are for the loss kto, and {self.loss} needs pairs"
            )
        if problems:
            raise CrossFieldError(problems)
        return self

    def _foreign_to_the_loss(self) -> Iterator[str]:
        for option, losses in OPTIONS.items():
            if getattr(self, option) is not None and self.loss not in losses:
                yield f"{option}: belongs to the losses {', '.join(losses)}, not to {self.loss}"
