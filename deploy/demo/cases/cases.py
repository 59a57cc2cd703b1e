"""Reads a file of hand-written cases: one conversation and its expectation a line."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deploy.demo.text.sample import Expectation, Intent, Language, Sample

HANDWRITTEN = Path(__file__).with_name("handwritten.jsonl")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Message(_Strict):
    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class _Expect(_Strict):
    tool: str | None = None
    arguments: dict[str, str] | None = None
    contains: tuple[str, ...] = ()
    number: int | None = None
    object: dict[str, Any] | None = Field(None, alias="json")


class _Case(_Strict):
    intent: Intent
    language: Language
    messages: tuple[_Message, ...] = Field(min_length=1)
    expect: _Expect

    @model_validator(mode="after")
    def _ends_with_a_request(self) -> "_Case":
        if self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        return self

    def sample(self) -> Sample:
        messages = tuple(message.model_dump() for message in self.messages)
        wanted = Expectation(**self.expect.model_dump(by_alias=True))
        return Sample(self.intent, self.language, messages, wanted)


def load(path: Path = HANDWRITTEN) -> list[Sample]:
    """The cases of the JSON-lines file ``path``; a ``ValueError`` names every bad line as ``file:line``."""
    samples, problems = list[Sample](), list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        try:
            samples.append(_Case.model_validate_json(line).sample())
        except ValidationError as exc:
            for error in exc.errors():
                where = ".".join(map(str, ("case", *error["loc"])))
                problems.append(f"{path}:{number}: {where}: {error['msg']}")
    if problems:
        raise ValueError("\n".join(problems))
    return samples
