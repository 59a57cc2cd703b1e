"""The questions of a plan: what is asked, and what the right answer is known to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from training.building import expectation
from training.building.expectation import Expectation
from training.building.plan import BuildPlan, QuestionFile
from training.data import reading, sources
from training.data.fields import FieldError, text_at
from training.data.message import message, tools_of
from training.errors import BadRow, BadRows, SourceError
from training.recipe import GeneratorSource

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    where: str  # as in errors.BadRow
    messages: tuple[Message, ...]
    expect: Expectation
    tools: tuple[dict[str, Any], ...] = ()  # in OpenAI's form; a build offers those of its plan instead

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
    found: list[Question] = []
    bad: list[BadRow] = []
    for source in given:
        reader = READERS[source.format if isinstance(source, QuestionFile) else "expect"]
        before = len(found) + len(bad)
        for where, raw in _raw(source, seed):
            try:
                if isinstance(raw, BadRow):
                    bad.append(raw)
                    continue
                if not isinstance(raw, dict):
                    raise FieldError("", f"must be an object, found {raw!r}")
                found.append(Question(where, *reader(raw), tools_of(raw)))
            except FieldError as exc:
                bad.append(BadRow(where, exc.field, exc.problem))
        if len(found) + len(bad) == before:
            raise SourceError(f"{source.label} holds no rows")
    if bad:
        raise BadRows(bad)
    return found


def digest(questions: Sequence[Question]) -> str:
    """Hex SHA-256 over all of them."""
    whole = hashlib.sha256()
    for question in questions:
        whole.update(question.canonical() + b"\n")
    return whole.hexdigest()


def _raw(source: Any, seed: int) -> Iterator[tuple[str, Any]]:
    if isinstance(source, QuestionFile):
        return islice(reading.from_file(source.path), source.rows)
    return sources.from_generator(source, sources.Part(source, seed, 0, source.rows))


def _expect(raw: dict[str, Any]) -> tuple[tuple[Message, ...], Expectation]:
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
    return turns, expectation.read(raw["expect"])


def _gsm8k(raw: dict[str, Any]) -> tuple[tuple[Message, ...], Expectation]:
    """``{"question", "answer": "... #### 18"}``."""
    _, mark, result = text_at(raw, "answer").rpartition("####")
    number = expectation.stated_number(result) if mark else None
    if number is None:
        raise FieldError("answer", "must end with #### and a number")
    question = {"role": "user", "content": text_at(raw, "question")}
    return (question,), Expectation(number=number)


READERS: dict[str, Callable[[dict[str, Any]], tuple[tuple[Message, ...], Expectation]]] = {
    "expect": _expect,
    "gsm8k": _gsm8k,
}
