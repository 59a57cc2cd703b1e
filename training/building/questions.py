"""The questions of a plan: what is asked, and what the right answer is known to be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from training import problems
from training.building import expectation
from training.building.expectation import Expectation
from training.building.plan import BuildPlan, QuestionFile
from training.data.formats.message import message, tools_of
from training.data.formats.opened import opened
from training.data.reading import contents, generators, sources
from training.data.row.fields import FieldError, text_at
from training.data.row.form import Form
from training.recipe import GeneratorSource

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    messages: tuple[Message, ...]
    expect: Expectation
    tools: tuple[dict[str, Any], ...] = ()  # in OpenAI's form; a build offers those of its plan instead
    where: str = ""  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The question's bytes, the same for the same content."""
        content = [self.messages, self.expect.model_dump(mode="json", by_alias=True), *self.tools]
        return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


def load(plan: BuildPlan) -> list[Question]:
    """All questions, in the plan's order.

    Raises:
        SourceError: a file or generator that can't be used.
        BadRows: the rows of all sources that don't fit.
    """
    return read(plan.questions, plan.seed)


def read(given: Sequence[QuestionFile | GeneratorSource], seed: int) -> list[Question]:
    """All questions of these sources, in their order; ``seed`` is the generators'. Raises as :func:`load`."""

    def of_source(source: QuestionFile | GeneratorSource) -> list[Question]:
        form = FORMS[source.format if isinstance(source, QuestionFile) else "expect"]
        return sources.gathered(_raw(source, seed), form, source.label)

    return [question for found in problems.each(given, of_source) for question in found]


def _raw(source: Any, seed: int) -> Iterator[tuple[str, Any]]:
    if isinstance(source, QuestionFile):
        return islice(contents.from_file(source.path), source.rows)
    return generators.rows(source, source.rows, seed)


def _expect(raw: dict[str, Any]) -> Question:
    """``{"prompt": a text or messages, "expect": {...}}``."""
    prompt = raw.get("prompt")
    if isinstance(prompt, list) and prompt:
        turns = tuple(message(turn, f"prompt.{i}") for i, turn in enumerate(prompt))
        if turns[-1]["role"] not in ("user", "tool"):
            raise FieldError("prompt", f"must end with what is asked, found the role {turns[-1]['role']!r}")
    else:
        turns = ({"role": "user", "content": text_at(raw, "prompt")},)
    if "expect" not in raw:
        raise FieldError("expect", "is required: what the right answer is known to be")
    return Question(tuple(opened(raw, turns)), expectation.read(raw["expect"]), tools_of(raw))


def _gsm8k(raw: dict[str, Any]) -> Question:
    """``{"question", "answer": "... #### 18"}``."""
    _, mark, result = text_at(raw, "answer").rpartition("####")
    number = expectation.stated_number(result) if mark else None
    if number is None:
        raise FieldError("answer", "must end with #### and a number")
    question = {"role": "user", "content": text_at(raw, "question")}
    return Question(tuple(opened(raw, [question])), Expectation(number=number), tools_of(raw))


_OPTIONAL = ("system", "tools")
FORMS = {
    "expect": Form(_expect, ("prompt", "expect"), _OPTIONAL),
    "gsm8k": Form(_gsm8k, ("question", "answer"), _OPTIONAL),
}
