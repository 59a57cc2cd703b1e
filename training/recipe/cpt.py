"""The recipe of continued pre-training, from a base that exists or from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pointsman.document import Document
from pointsman.problems import CrossFieldError
from training.recipe.methods import Freeze, MethodRecipe, SftLora
from training.recipe.parts import FileSource, Size, Source, refuse_chosen_answers
from training.recipe.values import Name


class Architecture(Document):
    """A Llama to be made from nothing."""

    hidden_size: Size = Field(description="width of the residual stream")
    layers: Size = Field(description="transformer blocks")
    heads: Size = Field(description="attention heads; each has hidden_size / heads dimensions")
    kv_heads: Size = Field(description="key-value heads; fewer than heads is grouped-query attention")
    intermediate_size: Size = Field(description="width of the feed-forward layer")
    context: Size = Field(description="longest input, in tokens")
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

    vocab_size: Size = Field(ge=300, description="tokens in all; 256 of them are the bytes")
    sample_rows: int = Field(default=20_000, gt=0, description="rows that the merges are learned from")
    chat_template: Path = Field(description="the Jinja file that goes with it")


class Vocabulary(Document):
    """Pieces that the base's tokenizer learns from the new text; the result is a base of its own."""

    pieces: Size = Field(description="tokens to add; fewer where the text has no more that occur often")
    sample_rows: int = Field(default=20_000, gt=0, description="training rows that they are learned from")
    min_count: int = Field(default=10, ge=2, description="a piece that occurs less often is not made")


class Release(Freeze):
    """Weights that begin to learn on the way, beside those that learn already."""

    step: int = Field(gt=0, description="steps that are taken before they learn")


class Replay(Document):
    """General text that is read beside the new one, so that it is not forgotten."""

    share: float = Field(gt=0, lt=1, description="of the tokens that are trained on")
    sources: list[Source] = Field(min_length=1, description="as data.sources; their weights count here too")

    @model_validator(mode="after")
    def _all_is_learned(self) -> Self:
        refuse_chosen_answers(self.sources, "sources")
        return self


class Probe(Document):
    """General text that the base is measured on before, on the way and after."""

    sources: list[Source] = Field(
        default_factory=list, description="text that is never trained on; none: what is held out of replay"
    )
    rows: int = Field(default=200, gt=0, description="rows of it that are measured")
    max_forgetting: float | None = Field(
        default=None,
        gt=0,
        description="nats per token that the general text may get worse by; beyond it the run stops, and the "
        "weights of the last evaluation within it are the result. 0.05 is 5 % more perplexity",
    )

    @model_validator(mode="after")
    def _all_is_learned(self) -> Self:
        refuse_chosen_answers(self.sources, "sources")
        return self


class CptRecipe(MethodRecipe):
    """Continued pre-training: every token of the text is learned; the method says by which weights.

    The result is a base; lora with an ``alias`` and qlora give an adapter.
    """

    several_kinds: ClassVar[bool] = True
    sections: ClassVar = {"lora": ("lora", "qlora"), "qlora": ("qlora",), "freeze": ("freeze",)}

    stage: Literal["cpt"]
    base: str | None = Field(default=None, description="folder or hub id to go on from")
    model: Architecture | None = Field(default=None, description="the base to make, where there is none")
    tokenizer: TokenizerPlan | None = Field(default=None, description="needed with model")
    method: Literal["full", "lora", "qlora", "freeze"] = Field(
        default="full",
        description="which weights learn; what qlora has gained and forgotten is beside the base in 4 bits",
    )
    alias: Name | None = Field(
        default=None,
        description="with lora: the adapter's name where it is served; none: it is merged into a base. "
        "qlora needs one",
    )
    lora: SftLora | None = None
    freeze: Freeze | None = None
    unfreeze: list[Release] = Field(default_factory=list, description="what freeze lets go, by step")
    vocabulary: Vocabulary | None = Field(default=None, description="pieces to add to the tokenizer")
    replay: Replay | None = None
    probe: Probe | None = Field(default=None, description="how forgetting is measured; with replay: always")

    @property
    def lora_plus(self) -> float:
        """See :class:`StageRecipe`."""
        return self.lora.plus if self.lora else 1.0

    @property
    def bound(self) -> float | None:
        """See :class:`Probe`."""
        return self.probe.max_forgetting if self.probe else None

    @model_validator(mode="before")
    @classmethod
    def _replay_is_probed(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("replay") and given.get("probe") is None:
            return given | {"probe": {}}
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := [*self._start(), *self._weights(), *self._text()]:
            raise CrossFieldError(problems)
        return self

    def _start(self) -> Iterator[str]:
        if (self.base is None) == (self.model is None):
            yield "give either base (to go on from one) or model (to make one)"
        if (self.model is None) != (self.tokenizer is None):
            yield "model and tokenizer go together: a base from nothing needs both"
        if self.model is not None:
            if self.method != "full":
                yield f"method: a base from nothing learns as a whole (full), found {self.method}"
            if self.vocabulary is not None:
                yield "vocabulary: a base from nothing has no tokens yet to add to; see tokenizer.vocab_size"
            if self.bound is not None:
                yield "probe.max_forgetting: a base from nothing knows nothing that it could forget"

    def _weights(self) -> Iterator[str]:
        yield from self.foreign_options()
        if self.unfreeze and self.method != "freeze":
            yield f"unfreeze: belongs to the method freeze, not to {self.method}; remove it"
        steps = [release.step for release in self.unfreeze]
        if steps != sorted(set(steps)):
            yield f"unfreeze: the steps must rise, found {', '.join(map(str, steps))}"
        if self.train.steps is not None and steps and steps[-1] >= self.train.steps:
            yield f"unfreeze: step {steps[-1]} is not before the run's end, train.steps ({self.train.steps})"
        if self.method == "qlora" and self.vocabulary:
            yield "vocabulary: new pieces learn in the base itself, which qlora leaves in 4 bits; use lora"
        elif self.method == "qlora" and self.alias is None:
            yield (
                "alias: the method qlora gives an adapter, as it can't be merged into a base of 4 bits; name "
                "it, and `pointsman convert --to base` merges it into the base in full"
            )
        elif self.alias is not None and (self.method not in ("lora", "qlora") or self.vocabulary):
            why = "vocabulary" if self.method == "lora" else f"the method {self.method}"
            yield f"alias: with {why} the result is a base, and no adapter; remove it"

    def _text(self) -> Iterator[str]:
        probed = self.probe.sources if self.probe else []
        if self.probe is not None and not probed and self.replay is None:
            yield "probe: name its sources, or a replay whose held-out rows are measured"
        if self.bound is not None and self.train.evaluate_every is None:
            yield "probe.max_forgetting: needs train.evaluate_every, the steps after which it is measured"
        roles = (
            ("data", self.data.sources),
            ("replay", self.replay.sources if self.replay else []),
            ("probe", probed),
        )
        seen: dict[object, str] = {}
        for role, sources in roles:
            for source in sources:
                origin = source.path.resolve() if isinstance(source, FileSource) else source.label
                if origin in seen:  # what is held out of one would be trained on by the other
                    yield f"{role}.sources: {source.label} is one of {seen[origin]}.sources already"
                seen.setdefault(origin, role)
