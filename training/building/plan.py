"""What is built, as one strict YAML document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pointsman.document import Document
from training.recipe import GeneratorSource
from training.recipe.parts import kind_of_source
from training.recipe.values import Name


class QuestionFile(Document):
    """Questions from a file."""

    path: Path = Field(description="a .jsonl file (one row a line), or a .json file (a list)")
    format: Literal["expect", "gsm8k"] = Field(
        default="expect",
        description="expect: rows of `prompt` (a text or messages) and `expect`. gsm8k: `question` and "
        "`answer`, whose number after #### is expected",
    )
    rows: int | None = Field(default=None, gt=0, description="the first so many; else all")

    @property
    def label(self) -> str:
        """The source's name in reports."""
        return str(self.path)


QuestionSource = Annotated[
    Annotated[QuestionFile, Tag("a file")] | Annotated[GeneratorSource, Tag("a generator")],
    Discriminator(kind_of_source),
]


class Teacher(Document):
    """Who answers: any OpenAI-compatible server."""

    url: str = Field(pattern=r"^https?://", description="such as http://127.0.0.1:8000, with or without /v1")
    model: str = Field(min_length=1, description="the model's name there")
    temperature: float = Field(default=0.7, ge=0, description="0 gives the same answer to every try")
    max_tokens: int = Field(default=1024, gt=0, description="of one answer; a cut one is thrown away")
    guidance: str = Field(
        default="", description="told to the teacher behind the system prompt, and kept out of the rows"
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="more of a request's body, for instance {top_p: 0.95}"
    )
    timeout: float = Field(default=300.0, gt=0, description="seconds for one answer")

    @model_validator(mode="after")
    def _parameters_are_more(self) -> Self:
        own = {"model", "messages", "tools", "temperature", "max_tokens", "seed", "stream", "n"}
        if taken := sorted(own & self.parameters.keys()):
            raise ValueError(f"parameters: {', '.join(taken)} is set by the plan itself; take it out")
        return self


class BuildPlan(Document):
    """Questions, a teacher, and how its answers become rows."""

    name: Name = Field(description="the folder is runs/<name>")
    form: Literal["react", "cot"] = Field(
        description="react: calls of tools and their results, then the answer. cot: <think>, then the answer"
    )
    seed: int = Field(default=0, ge=0, description="decides generated questions, and the teacher's answers")
    questions: list[QuestionSource] = Field(min_length=1, description="asked in this order")
    teacher: Teacher
    system: str = Field(
        default="", description="the system prompt of the rows, where a question has none of its own"
    )
    tools: list[str] = Field(
        default_factory=list, description="react: names of installed tools (entry points pointsman.tools)"
    )
    tries: int = Field(default=2, gt=0, description="answers to one question until one passes the rules")
    max_steps: int = Field(default=6, gt=0, description="react: answers of the teacher in one try")

    @model_validator(mode="after")
    def _form_and_tools(self) -> Self:
        if self.form == "react" and not self.tools:
            raise ValueError("tools: react needs at least one")
        if self.form == "cot" and self.tools:
            raise ValueError("tools: belong to react; cot calls none")
        if self.tries > 1 and self.teacher.temperature == 0:
            raise ValueError(
                "tries: at teacher.temperature 0 every try gives the same answer; raise it, or set tries: 1"
            )
        return self
