"""Answers of a served model against facts: right or not, ended by itself or not, the same when streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.building.questions import Question
from training.errors import RequestRefused
from training.evaluation import calls
from training.evaluation.measures import ratio
from training.evaluation.part import Done, Result
from training.served import openai_form, said
from training.served.endpoint import Endpoint, each

ENDED = ("stop", "tool_calls")  # finish reasons of an answer that the model ended


@dataclass(frozen=True, slots=True)
class Given:
    """What came back for one question."""

    thought: str
    text: str  # behind the thought
    calls: Sequence[calls.Call]
    missed: str  # the first rule that it breaks, or a fault of form; "" if it is right
    stopped: bool
    alike: bool  # streamed, it is the same
    seconds: float  # unstreamed


@dataclass(frozen=True, slots=True)
class Answers:
    """Questions that are asked greedily, each whole and as a stream."""

    name: str
    questions: Sequence[Question]
    max_new_tokens: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """One a question; its stream is not counted."""
        return len(self.questions)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """Shares of right, of ended and of equally streamed answers, and the mean seconds. See ``Part``."""
        given = await each(self.questions, lambda question: self._given(endpoint, question), done)
        ones = [1.0] * len(given)
        measures = {
            "correct": ratio([float(not one.missed) for one in given], ones),
            "stops": ratio([float(one.stopped) for one in given], ones),
            "streams_alike": ratio([float(one.alike) for one in given], ones),
            "seconds": ratio([one.seconds for one in given], ones),
        }
        details = [
            {
                "row": question.where,
                **({"thought": one.thought} if one.thought else {}),
                "text": one.text,
                "called": list(one.calls),
                "missed": one.missed,
                "stopped": one.stopped,
                "streamed_alike": one.alike,
                "seconds": round(one.seconds, 4),
            }
            for question, one in zip(self.questions, given, strict=True)
        ]
        return Result(measures, details)

    async def _given(self, endpoint: Endpoint, question: Question) -> Given:
        body: dict[str, Any] = {
            "messages": openai_form.messages(question.messages),
            "temperature": 0,
            "max_tokens": self.max_new_tokens,
        }
        if question.tools:
            body["tools"] = list(question.tools)
        try:
            whole, seconds = await endpoint.answer(body)
            streamed, _ = await endpoint.answer(body, stream=True)
        except RequestRefused as exc:
            raise RequestRefused(exc.status, f"{question.where}: {exc}") from exc
        made = calls.read(whole, question.tools)
        thought, text = said.parted(whole["message"])
        faults = [*made.faults, *(made.misfits if question.tools else ())]
        return Given(
            thought,
            text,
            made.calls,
            faults[0] if faults else question.expect.misses(made.calls, text),
            whole.get("finish_reason") in ENDED,
            _said(whole) == _said(streamed),
            seconds,
        )


def _said(choice: Mapping[str, Any]) -> tuple[str, list[tuple[Any, Any]], Any]:
    """What must be equal: text, calls and how it ended; ids of calls may differ."""
    message = choice["message"]
    functions = [said.function(call) for call in said.calls(message)]
    made = [(function.get("name"), function.get("arguments")) for function in functions]
    return message.get("content") or "", made, choice.get("finish_reason")
