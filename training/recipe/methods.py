"""The methods of sft, and of the stages that have some of them: which weights learn, and each one's options.

The options stand under a key of their own, which is refused where the method has no use for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pointsman.document import Document
from training.recipe.parts import Lora, Rate, Size, StageRecipe, compiles

Method = Literal[
    "lora", "dora", "pissa", "qlora", "full", "freeze", "prefix", "p_tuning", "p_tuning_v2", "prompt_tuning"
]
SECTIONS: dict[str, tuple[Method, ...]] = {  # key of options → the methods that have them
    "lora": ("lora", "dora", "pissa", "qlora"),
    "qlora": ("qlora",),
    "freeze": ("freeze",),
    "prefix": ("prefix",),
    "p_tuning": ("p_tuning",),
    "p_tuning_v2": ("p_tuning_v2",),
    "prompt_tuning": ("prompt_tuning",),
}
CACHED: tuple[Method, ...] = ("prefix", "p_tuning_v2")  # vectors that are keys and values
VIRTUAL: tuple[Method, ...] = ("prefix", "p_tuning", "p_tuning_v2", "prompt_tuning")


Pattern = Annotated[str, AfterValidator(compiles)]


class SftLora(Lora):
    """A low-rank update as sft and cpt learn it."""

    plus: Rate = Field(
        default=1.0, description="B learns this many times as fast as A (LoRA+, arXiv:2402.12354: 16)"
    )


class Qlora(Document):
    """A base of 4-bit normal floats under the adapter (arXiv:2305.14314)."""

    double_quantisation: bool = Field(default=True, description="the scales are quantised too")
    paged: bool = Field(
        default=True,
        description="on a GPU the optimiser's state, if it is large, moves to the CPU where memory is short",
    )


class Freeze(Document):
    """Some weights learn, all others stay as they are. One of the three is given."""

    learn_last: int | None = Field(default=None, gt=0, description="the last n layers learn")
    learn_first: int | None = Field(default=None, gt=0, description="the first n layers learn")
    learn: Pattern | None = Field(
        default=None, description="weights whose name holds this regular expression learn"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("learn_last", "learn_first", "learn") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give one of learn_last, learn_first and learn, found {' and '.join(given) or 'none'}"
            )
        return self


class Virtual(Document):
    """Tokens that nobody writes: learned vectors before the text."""

    tokens: Size = Field(default=20, description="how many")


class Prefix(Virtual):
    """Keys and values for every layer, made by a small network (prefix tuning, arXiv:2101.00190)."""

    hidden_size: Size = Field(default=512, description="inner width of that network")


class PTuning(Virtual):
    """Input embeddings, made by a small network (P-tuning, arXiv:2103.10385)."""

    hidden_size: Size = Field(default=128, description="inner width of that network")
    encoder: Literal["mlp", "lstm"] = Field(default="mlp", description="its kind")


class PTuningV2(Virtual):
    """Keys and values for every layer, learned as they are (P-tuning v2, arXiv:2110.07602)."""


class PromptTuning(Virtual):
    """Input embeddings, learned as they are (arXiv:2104.08691)."""

    text: str | None = Field(
        default=None,
        min_length=1,
        description="words to begin with, repeated up to so many tokens; left out, tokens drawn by chance",
    )


class MethodRecipe(StageRecipe):
    """What the recipe of a stage has that learns by several methods, on a base in 4 bits by one of them.

    A method's options are never None, those of the others always are.
    """

    sections: ClassVar[Mapping[str, tuple[str, ...]]]  # key of options → the methods that have them

    qlora: Qlora | None = None

    @property
    def paged(self) -> bool:
        """See :class:`StageRecipe`."""
        return bool(self.qlora and self.qlora.paged)

    @model_validator(mode="before")
    @classmethod
    def _options_of_the_method(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        method = given.get("method", cls.model_fields["method"].default)
        own = [section for section, methods in cls.sections.items() if method in methods]
        return given | {section: {} for section in own if given.get(section) is None}

    def foreign_options(self) -> Iterator[str]:
        """What is wrong with the options of other methods that are given."""
        method = getattr(self, "method", "")
        for section, methods in self.sections.items():
            if getattr(self, section) is not None and method not in methods:
                several = "s" if len(methods) > 1 else ""
                yield (
                    f"{section}: belongs to the method{several} {', '.join(methods)}, not to the method "
                    f"{method}; remove it"
                )
