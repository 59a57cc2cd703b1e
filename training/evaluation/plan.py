"""What an evaluation asks, as one strict YAML document.

It names the rows, never the model: one plan is for every version of an adapter, and for the base beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pointsman.document import Document
from training.building.plan import QuestionFile
from training.recipe import FileSource, GeneratorSource, PromptFile, Source
from training.recipe.parts import COLUMNS, DOCUMENTS, Columns, Documents, refuse_undivided

PARTS = ("loss", "general", "tools", "preferences", "answers", "judged")
PartName = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
PREFERENCES = ("pairs", "alpaca", "sharegpt")  # formats whose rows may hold two answers
HeldOutFormat = Literal["text", "messages", "prompt_completion", "alpaca", "sharegpt", "pairs", "bfcl"]


class HeldOut(Document):
    """Rows that training has not seen: the first ``rows`` of a file, or as many of a generator."""

    path: Path | None = Field(default=None, description="a .jsonl, .json or .txt file")
    format: HeldOutFormat | None = Field(
        default=None,
        description="the form of the file's rows; pairs, alpaca and sharegpt may be preferences, bfcl is for "
        "tools",
    )
    columns: Columns = Field(default_factory=dict, description=COLUMNS)
    documents: Documents = Field(default="file", description=DOCUMENTS)
    generator: str | None = Field(
        default=None, pattern=r"^[\w.]+:\w+$", description="import string, package.module:function"
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="more arguments of the generator")
    rows: int = Field(default=200, gt=0, description="rows to ask")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.generator is None):
            raise ValueError("give either path (a file) or generator (a function)")
        if (self.path is None) != (self.format is None):
            raise ValueError("path and format go together; a generator's rows need no format")
        if self.path is not None and self.arguments:
            raise ValueError("arguments are for a generator, and this is a file")
        if self.path is None and self.columns:
            raise ValueError("columns are for a file, and this is a generator")
        refuse_undivided(self.path, self.documents)
        return self

    @property
    def source(self) -> Source:
        """The same for :mod:`training.data.reading.sources`."""
        if self.path is not None and self.format is not None:
            assert self.format != "bfcl"
            return FileSource(
                path=self.path, format=self.format, columns=self.columns, documents=self.documents
            )
        return GeneratorSource(generator=str(self.generator), rows=self.rows, arguments=self.arguments)


class Tools(HeldOut):
    """Conversations with tools; every turn of the assistant in them is asked anew."""

    answers: Literal["none"] | Path | None = Field(
        default=None,
        description="of bfcl, whose rows hold none: the file with the right calls, by id; or none, where no "
        "call is right, as in the leaderboard's irrelevance",
    )
    max_new_tokens: int = Field(default=256, gt=0, description="tokens of an answer at most")

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if self.format == "bfcl" and self.answers is None:
            raise ValueError(
                "answers: rows of bfcl hold none; name the file of the right calls, or write `answers: none` "
                "where no call is right"
            )
        if self.format != "bfcl" and self.answers is not None:
            raise ValueError("answers: is for bfcl; rows of other formats hold the right calls themselves")
        return self

    @property
    def leaderboard(self) -> PromptFile | None:
        """The questions, if they are of bfcl."""
        if self.format != "bfcl" or self.path is None:
            return None
        return PromptFile(path=self.path, format="bfcl", columns=self.columns)


class Questions(Document):
    """Questions whose right answers are facts; asked greedily, whole and streamed."""

    path: Path | None = Field(
        default=None, description="a .jsonl file with rows of `prompt`, `expect` and perhaps `tools`"
    )
    generator: str | None = Field(
        default=None, pattern=r"^[\w.]+:\w+$", description="import string, package.module:function"
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="more arguments of the generator")
    rows: int = Field(default=200, gt=0, description="questions to ask")
    max_new_tokens: int = Field(default=256, gt=0, description="an answer that needs more does not stop")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.generator is None):
            raise ValueError("give either path (a file) or generator (a function)")
        if self.path is not None and self.arguments:
            raise ValueError("arguments are for a generator, and this is a file")
        return self

    @property
    def source(self) -> QuestionFile | GeneratorSource:
        """The same for :mod:`training.building.questions`."""
        if self.path is not None:
            return QuestionFile(path=self.path, rows=self.rows)
        return GeneratorSource(generator=str(self.generator), rows=self.rows, arguments=self.arguments)


class Judge(Document):
    """A model that says which of two answers is better."""

    url: str = Field(pattern=r"^https?://", description="of an OpenAI-compatible server, without /v1")
    model: str = Field(min_length=1, description="as that server calls it")
    key: str | None = Field(
        default=None, description="the environment variable that holds its key; left out: none is sent"
    )
    criteria: str = Field(
        default="more correct, more helpful, and in the form that was asked for",
        description="what makes an answer better, as the judge is told",
    )
    max_new_tokens: int = Field(default=512, gt=0, description="its reasons, then the verdict")


class Beside(HeldOut):
    """Conversations whose last answer is the reference that the model's own is held beside."""

    judge: Judge
    max_new_tokens: int = Field(default=256, gt=0, description="tokens of an answer at most")


class Harness(Document):
    """Tasks of the lm-eval harness, from files of one's own."""

    folder: Path = Field(description="where the tasks' YAML files are; the harness's own tasks are not read")
    tasks: list[str] = Field(min_length=1, description="names of tasks or groups in it")
    limit: int | None = Field(default=None, gt=0, description="documents of each task; else all")
    shots: int | None = Field(default=None, ge=0, description="examples before a question; else the task's")
    chat_template: bool = Field(default=False, description="ask in the base's chat template")


class Plan(Document):
    """One evaluation: parts that are left out are not measured."""

    seed: int = Field(default=0, ge=0, description="of the generators")
    max_tokens: int = Field(
        default=1024, ge=16, description="longer rows are dropped and counted; at most the server's limit"
    )
    loss: dict[PartName, HeldOut] = Field(
        default_factory=dict, description="loss and perplexity of what the assistant says, or of a whole text"
    )
    general: dict[PartName, HeldOut] = Field(
        default_factory=dict, description="the general probe: the same on what must not be forgotten"
    )
    tools: dict[PartName, Tools] = Field(default_factory=dict, description="tool calls")
    preferences: dict[PartName, HeldOut] = Field(
        default_factory=dict, description="whether better answers are likelier than worse ones"
    )
    answers: dict[PartName, Questions] = Field(
        default_factory=dict, description="whether answers are right, end by themselves, and stream alike"
    )
    judged: dict[PartName, Beside] = Field(
        default_factory=dict, description="answers beside references, as a judge sees them, in both orders"
    )
    lm_eval: Harness | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, part) for part in (*PARTS, "lm_eval")):
            raise ValueError(f"asks for nothing; give {', '.join(PARTS)} or lm_eval")
        problems = [
            f"{part}.{name}.format: pairs are for preferences"
            for part in ("loss", "general", "tools", "judged")
            for name, rows in getattr(self, part).items()
            if rows.format == "pairs"
        ]
        problems += [
            f"{part}.{name}.format: bfcl is for tools"
            for part in ("loss", "general", "judged")
            for name, rows in getattr(self, part).items()
            if rows.format == "bfcl"
        ]
        problems += [
            f"preferences.{name}.format: must be pairs, alpaca or sharegpt, found {rows.format!r}"
            for name, rows in self.preferences.items()
            if rows.format not in (None, *PREFERENCES)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self
