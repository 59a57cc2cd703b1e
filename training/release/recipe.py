"""The recipe of a release: what is trained, what it is asked, what it must keep, how traffic comes to it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pointsman.artefact import ALIAS
from pointsman.document import Document
from training.evaluation.plan import PARTS, PartName, Plan
from training.recipe.values import Name
from training.release.gate import Criterion
from training.release.moving import MovesSection, Rows


def _alias(given: str) -> str:
    if not ALIAS.fullmatch(given):
        raise ValueError(f"must be an alias, {ALIAS.pattern}")
    return given


class Step(Document):
    """A share of traffic, and how long the candidate has it."""

    weight: int = Field(ge=1, le=99, description="percent of the alias's conversations")
    requests: int | None = Field(default=None, gt=0, description="that the candidate answers before the next")
    seconds: float | None = Field(default=None, gt=0, description="before the next step")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.requests is None) == (self.seconds is None):
            raise ValueError("give either requests or seconds")
        return self


class Shadow(Document):
    """Shadow traffic before the canary: the candidate answers along, and nobody is shown what it says."""

    share: int = Field(default=20, ge=1, le=100, description="percent of the alias's conversations")
    answers: int = Field(default=50, gt=0, description="that are compared before the canary")
    seconds: float = Field(default=600.0, gt=0, description="after which it goes on with those that came")
    failed: float = Field(
        default=0.02, ge=0, lt=1, description="the share that may fail; where it is surely more, rejected"
    )
    different: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="the same for answers that are not the live version's; needs a temperature of 0",
    )


class Canary(Document):
    """Shares that grow while the candidate does no worse than the live version."""

    steps: list[Step] = Field(min_length=1, description="their weights rise")
    error_rate: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="by how much the share of failed requests may lie over the live version's; where it "
        "surely lies higher, the candidate is rolled back",
    )
    abort_rate: float = Field(
        default=0.1, ge=0, lt=1, description="the same for requests that their clients gave up"
    )
    down_rate: float = Field(
        default=0.1, ge=0, lt=1, description="the same for rated answers (POST /v1/feedback) rated down"
    )
    slow_rate: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="the same for streams whose first token came later than 95 % of the live version's did",
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for i, (one, other) in enumerate(pairwise(self.steps), 1):
            if other.weight <= one.weight:
                raise ValueError(f"steps.{i}.weight: must be over {one.weight}, found {other.weight}")
        return self


class Conversion(Document):
    """How a result that vLLM does not serve as it is becomes a LoRA: as ``pointsman convert`` does it."""

    rank: int | None = Field(default=None, gt=0, description="left out: 16, and all that it takes for pissa")
    steps: int | None = Field(default=None, gt=0, description="where it is distilled; left out: 300")
    max_kl: float | None = Field(
        default=None, ge=0, description="nats a token; a larger error ends the release before any step"
    )


class ReleaseRecipe(Document):
    """One release of one alias."""

    name: Name = Field(description="the release's folder is runs/<name>")
    alias: Annotated[str, AfterValidator(_alias)] = Field(description="whose next version it makes")
    train: Path | None = Field(default=None, description="a training recipe, whose result is released")
    artefact: str | None = Field(
        default=None,
        description="or what was trained already: a folder, or a URL that fsspec reads (s3://...)",
    )
    moves: MovesSection | None = Field(
        default=None, description="what moves with the adapter, in one stroke, and back with it"
    )
    routing: dict[PartName, Rows] = Field(
        default_factory=dict,
        description="texts for the router, as it is where the version is live: routing.NAME.correct",
    )
    convert: Conversion = Field(
        default_factory=Conversion, description="for results of other methods than lora and qlora"
    )
    evaluation: Plan = Field(description="what candidate and live version are asked")
    gate: list[Criterion] = Field(min_length=1, description="every row must pass")
    sign: Path | None = Field(
        default=None, description="an ed25519 key that signs the artefact: pointsman adapters key makes one"
    )
    shadow: Shadow | None = Field(default=None, description="left out: no shadow traffic")
    canary: Canary | None = Field(default=None, description="left out: all conversations at once")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.train is None) == (self.artefact is None):
            raise ValueError("give either train (a recipe) or artefact (a folder or a URL)")
        asked = [f"{kind}.{name}" for kind in PARTS for name in getattr(self.evaluation, kind)]
        asked += [f"routing.{name}" for name in self.routing]
        if self.evaluation.lm_eval:
            asked += [f"lm_eval.{task}" for task in self.evaluation.lm_eval.tasks]
        unknown = [
            f"gate.{i}.metric: {row.metric!r} is of no part of the evaluation; there are {', '.join(asked)}"
            for i, row in enumerate(self.gate)
            if not any(row.metric.startswith(f"{part}.") for part in asked)
        ]
        if unknown:
            raise ValueError("; ".join(unknown))
        return self
