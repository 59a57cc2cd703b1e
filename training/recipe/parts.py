"""What the recipes of all stages are made of: data, optimisation, the low-rank update.

A recipe is everything that decides what a training run gives. Paths in it are seen from the folder that the
command runs in, as a base's may as well be a hub id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from pointsman.document import Document
from training.recipe.values import Function, LocalPath, Name
from training.recipe.words import Worded

Tracker = Literal["tensorboard", "wandb"]
Columns = dict[str, str]
COLUMNS = (
    "what the rows call the format's fields, where they call them otherwise; "
    "{instruction: question, output: response} reads `question` and `response` as alpaca's. Of sharegpt's "
    "turns role_tag and content_tag name the keys, and user_tag, assistant_tag, observation_tag, "
    "function_tag and system_tag the speakers: {role_tag: speaker, assistant_tag: bot}"
)
Documents = Literal["file", "paragraph", "line"]
DOCUMENTS = "what a document is in a .txt file: all of it, what blank lines part, or each line"
Weight = Annotated[float, Field(gt=0, le=1_000)]  # every row is held in memory so often
Rate = Annotated[float, Field(gt=0, le=1_000)]  # of learning; also what it is multiplied by
Size = Annotated[int, Field(gt=0, le=2**20)]  # of a side of a matrix
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as NumPy's
CHECKPOINTING = (
    "keep each layer's input alone and compute the layer again on the way back: less memory, more time, the "
    "same result"
)


def refuse_undivided(path: Path | None, documents: Documents) -> None:
    """Make sure that ``documents`` says something of the file at ``path``; None: there is none.

    Raises:
        ValueError: it does not.
    """
    if documents != "file" and (path is None or not path.name.removesuffix(".gz").endswith(".txt")):
        raise ValueError(
            f"documents: only a .txt file is parted, {path or 'a generator'} has a row for each document"
        )


Format = Literal[
    "text",
    "messages",
    "prompt_completion",
    "alpaca",
    "sharegpt",
    "pairs",
    "labels",
    "intents",
    "routes",
]


class FileSource(Document):
    """Rows from a file."""

    path: LocalPath = Field(
        description="a .jsonl file (one row a line), a .json file (a list, or so), or a .txt file; each may "
        "be gzipped (.jsonl.gz)"
    )
    format: Format = Field(
        description="the form of its rows; of prompt_completion sft learns the completion alone; pairs and "
        "labels are preferences, alpaca and sharegpt may be; intents are texts and what they are routed to, "
        "routes is a routes file with such examples"
    )
    weight: Weight = Field(
        default=1.0, description="times that each row is seen in an epoch; 0.5 takes every second row"
    )
    columns: Columns = Field(default_factory=dict, description=COLUMNS)
    documents: Documents = Field(default="file", description=DOCUMENTS)
    answers: Literal["every", "last"] = Field(
        default="every",
        description="of a conversation, that sft learns; last: what comes before is only read",
    )

    @model_validator(mode="after")
    def _only_text_is_parted(self) -> Self:
        refuse_undivided(self.path, self.documents)
        return self

    @property
    def label(self) -> str:
        """The source's name in reports and in the manifest."""
        return str(self.path)

    @property
    def reads(self) -> tuple[object, ...]:
        """What its rows come from, alike for all that read the same."""
        return self.path.resolve(), self.columns


class GeneratorSource(Document):
    """Rows that a function writes, called as ``function(rows=..., seed=..., **arguments)``."""

    generator: Function = Field(description="import string, package.module:function")
    rows: int = Field(gt=0, description="rows to take from it")
    arguments: dict[str, Any] = Field(default_factory=dict, description="more arguments of the function")
    weight: Weight = Field(default=1.0, description="as for a file")

    @property
    def label(self) -> str:
        """The source's name in reports and in the manifest."""
        given = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.generator}({given})"

    @property
    def reads(self) -> tuple[object, ...]:
        """What its rows come from, alike for all that read the same."""
        return self.generator, self.rows, self.arguments


def kind_of_source(given: Any) -> str:
    """Which kind of source is meant, so that what is wrong is said of that one alone."""
    generator = "generator" in given if isinstance(given, dict) else isinstance(given, GeneratorSource)
    return "a generator" if generator else "a file"


Source = Annotated[
    Annotated[FileSource, Tag("a file")] | Annotated[GeneratorSource, Tag("a generator")],
    Discriminator(kind_of_source),
]


def refuse_chosen_answers(sources: Sequence[Source], place: str) -> None:
    """Make sure that none of ``sources``, which stand at ``place``, chooses answers: all is learned there.

    Raises:
        ValueError: one does.
    """
    for i, source in enumerate(sources):
        if isinstance(source, FileSource) and source.answers != "every":
            raise ValueError(f"{place}.{i}.answers: belongs to the stage sft; remove it")


def refuse_twice(sources: Sequence[Any]) -> None:
    """Make sure that ``sources``, of rows or of prompts, read none twice, as it might be evaluated on too.

    Raises:
        ValueError: two do.
    """
    rows = [source.reads for source in sources]
    for i, source in enumerate(sources):
        if (first := rows.index(rows[i])) < i:
            raise ValueError(
                f"data.sources.{i}: {source.label} is data.sources.{first} already, so rows that are kept "
                f"out to evaluate on would be learned; remove it, and give the other one the weight "
                f"{source.weight + sources[first].weight:g}"
            )


class Texts(Document):
    """What is learned from, and how it is cut; nothing is measured on it."""

    sources: list[Source] = Field(
        min_length=1, description="mixed by their weights; replay is one more source"
    )
    max_tokens: int = Field(default=1024, ge=16, description="longest training sequence, in tokens")


class Data(Texts):
    """What is learned from, how it is cut, and how much of it is kept to measure on."""

    validation_rows: int = Field(
        default=200,
        ge=1,
        description="rows kept out of training and evaluated on; in cpt as many of each source",
    )


class Optimisation(Document):
    """How the weights are changed. A step is one change of the weights."""

    epochs: float = Field(default=1.0, gt=0, le=100_000, description="passes over the data")
    steps: int | None = Field(default=None, gt=0, description="steps to take, in place of epochs")
    batch_rows: int = Field(default=16, gt=0, description="sequences that go through the model at once")
    accumulate: int = Field(default=1, gt=0, description="batches added up before a step")
    learning_rate: Rate = Field(description="the highest, after warm-up")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="how the learning rate falls after warm-up, to zero at the last step"
    )
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's")
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are cut to this length")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="arithmetic; auto is bf16 on a GPU or a CPU with AMX, else fp32. What learns stays fp32",
    )
    gradient_checkpointing: bool = Field(default=False, description=CHECKPOINTING)
    compile: bool = Field(default=False, description="torch.compile: slower to start, faster on a GPU")
    log_every: int = Field(default=10, gt=0, description="steps between two lines of metrics")
    evaluate_every: int | None = Field(default=None, gt=0, description="steps; the end is always evaluated")
    save_every: int = Field(default=200, gt=0, description="steps between two checkpoints")


def compiles(pattern: str) -> str:
    """``pattern``, which is a regular expression; else a ValueError."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"is no regular expression: {exc}") from exc
    return pattern


def _compiles_in_peft(pattern: str) -> str:
    compiles(rf"(.*\.)?({pattern})$")  # a part of PEFT's own
    return pattern


ModulePattern = Annotated[str, AfterValidator(_compiles_in_peft)]


class Lora(Document):
    """The low-rank update that an adapter is."""

    rank: Size = Field(default=8, description="inner width of the update; vLLM serves 8, 16, 32, 64, ...")
    alpha: int = Field(default=16, gt=0, description="the update is scaled by alpha / rank; usually 2 × rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of the update's input left out")
    targets: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="names of the linear layers it is put on, such as q_proj; all"
    )
    rslora: bool = Field(default=False, description="scale by alpha / √rank (rsLoRA, arXiv:2312.03732)")
    rank_pattern: dict[ModulePattern, Size] = Field(
        default_factory=dict, description="other ranks by module name or regular expression"
    )
    alpha_pattern: dict[ModulePattern, PositiveInt] = Field(
        default_factory=dict, description="other alphas, likewise"
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _all_is_no_name(cls, given: Any) -> Any:
        if given in ("all", "all-linear", ["all"], ["all-linear"]):
            raise ValueError("leave targets out to put it on all linear layers")
        return given


CONVERSATIONS = ("text", "messages", "prompt_completion", "alpaca", "sharegpt")


class DataRecipe(Worded):
    """What the recipe of every stage that reads rows has."""

    formats: ClassVar[tuple[str, ...]] = CONVERSATIONS  # it can learn from
    answers: ClassVar[bool] = False  # whether a source may choose which it learns
    several_kinds: ClassVar[bool] = False  # whether it has sources elsewhere, and compares them all itself

    name: Name = Field(description="the run's folder is runs/<name>")
    seed: Seed = Field(default=0, description="decides the data, their order and the first weights")
    data: Data

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for i, source in enumerate(self.data.sources):
            if isinstance(source, FileSource) and source.format not in self.formats:
                raise ValueError(
                    f"data.sources.{i}.format: this stage reads {', '.join(self.formats)}, "
                    f"found {source.format!r}"
                )
        if not self.several_kinds:
            refuse_twice(self.data.sources)
        if not self.answers:
            refuse_chosen_answers(self.data.sources, "data.sources")
        return self


class StageRecipe(DataRecipe):
    """What the recipe of every stage that learns from rows has."""

    train: Optimisation
    trackers: list[Tracker] = Field(
        default_factory=list,
        description="where else the metrics are shown; beside metrics.jsonl and curves.png",
    )

    @property
    def lora_plus(self) -> float:
        """How many times as fast as A the matrix B of an adapter learns (LoRA+)."""
        return 1.0

    @property
    def paged(self) -> bool:
        """Whether the optimiser's state may move to the CPU where a GPU's memory is short."""
        return False
