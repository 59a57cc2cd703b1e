"""One try: the teacher answers a question, in steps where it calls tools, and the rules judge it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from training.building.expectation import Call
from training.building.plan import BuildPlan
from training.building.questions import Question
from training.errors import RequestRefused
from training.served import openai_form, said
from training.served.endpoint import Endpoint
from training.served.said import Parted

KEPT = "kept"
CUT = "cut at teacher.max_tokens"
NO_ANSWER = "no final answer"
NO_REASONING = "no reasoning"
BAD_CALL = "call of bad form"
TOOL_FAILED = "a tool failed"
TOO_LONG = "more than max_steps"
REFUSED = "refused by the teacher's server"
OF_THE_REQUEST = (400, 413, 422)  # statuses that say something about the question, such as its length
SECONDS, CHARACTERS = 30.0, 8_000  # for a tool's call, and of its result
Message = dict[str, Any]


class ToolResult(Protocol):
    """What a call of a tool gave, as the model sees it."""

    @property
    def text(self) -> str: ...
    @property
    def failed(self) -> bool: ...


class Tool(Protocol):
    """A tool that can be called; whoever runs the build brings them."""

    @property
    def schema(self) -> Mapping[str, Any]: ...  # OpenAI's form
    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult: ...


@dataclass(frozen=True, slots=True)
class Try:
    """What became of it."""

    outcome: str  # KEPT, or why it is not
    said: str = ""  # more about it: what was called, what was answered
    row: dict[str, Any] | None = field(default=None, repr=False)  # what is learned from it, where it is kept


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the teacher of a plan."""

    plan: BuildPlan
    endpoint: Endpoint
    tools: Mapping[str, Tool]

    async def attempt(self, question: Question, seed: int) -> Try:
        """One try; ``seed`` is for the teacher's sampling.

        Raises:
            EndpointError: the teacher is away, or answers nobody: no key, too busy.
        """
        opened = list(question.messages)
        if self.plan.system and opened[0]["role"] != "system":
            opened = [{"role": "system", "content": self.plan.system}, *opened]
        try:
            if self.plan.form == "cot":
                return _thought(question, opened, await self._ask(opened, seed))
            return await self._act(question, opened, seed)
        except RequestRefused as exc:
            if exc.status not in OF_THE_REQUEST:
                raise
            return Try(REFUSED, str(exc))

    async def _act(self, question: Question, opened: Sequence[Message], seed: int) -> Try:
        turns: list[Message] = []
        calls: list[Call] = []
        before = sum(len(message.get("tool_calls") or ()) for message in opened)
        for _ in range(self.plan.max_steps):
            answer = await self._ask([*opened, *turns], seed)
            found = said.parted(answer["message"])
            given_calls = said.calls(answer["message"])
            if answer.get("finish_reason") == "length":
                return Try(CUT, found.whole)
            if not given_calls:
                return self._ended(question, [*opened, *turns], calls, found)
            turn: Message = {"role": "assistant", "content": found.whole, "tool_calls": []}
            results: list[Message] = []
            for given in given_calls:
                call = _call(given)
                if call is None or call[0] not in self.tools:
                    return Try(BAD_CALL, json.dumps(given, ensure_ascii=False))
                result = await self.tools[call[0]].call(call[1], SECONDS, CHARACTERS)
                name = f"call_{before + len(calls)}"
                calls.append(call)
                if result.failed:
                    return Try(TOOL_FAILED, f"{_shown(calls)}: {result.text}")
                function = {"name": call[0], "arguments": call[1]}
                turn["tool_calls"].append({"type": "function", "id": name, "function": function})
                results.append({"role": "tool", "tool_call_id": name, "content": result.text})
            turns += [turn, *results]
        return Try(TOO_LONG, _shown(calls))

    def _ended(self, question: Question, before: list[Message], calls: Sequence[Call], found: Parted) -> Try:
        shown = " → ".join(part for part in (_shown(calls), found.text) if part)
        if not found.text:
            return Try(NO_ANSWER, shown or found.reasoning)
        if missed := question.expect.misses(calls, found.text):
            return Try(missed, shown)
        messages = [*before, {"role": "assistant", "content": found.whole}]
        return Try(KEPT, shown, {"messages": messages, "tools": self._schemas()})

    async def _ask(self, messages: Sequence[Message], seed: int) -> dict[str, Any]:
        teacher = self.plan.teacher
        if teacher.guidance:
            first = messages[0]["content"] if messages[0]["role"] == "system" else ""
            told = "\n\n".join(text for text in (first, teacher.guidance) if text)
            messages = [{"role": "system", "content": told}, *messages[bool(first) :]]
        body: dict[str, Any] = {
            **teacher.parameters,
            "messages": openai_form.messages(messages),
            "temperature": teacher.temperature,
            "max_tokens": teacher.max_tokens,
            "seed": seed,
        }
        return await self.endpoint.chat(body | ({"tools": self._schemas()} if self.tools else {}))

    def _schemas(self) -> list[dict[str, Any]]:
        return [dict(tool.schema) for tool in self.tools.values()]


def _thought(question: Question, opened: Sequence[Message], answer: Mapping[str, Any]) -> Try:
    found = said.parted(answer["message"])
    reasoning, text = found
    if answer.get("finish_reason") == "length":
        return Try(CUT, text or reasoning)
    if not reasoning:
        return Try(NO_REASONING, text)
    if not text:
        return Try(NO_ANSWER, reasoning)
    if missed := question.expect.misses((), text):
        return Try(missed, text)
    return Try(KEPT, text, {"messages": [*opened, {"role": "assistant", "content": found.whole}]})


def _call(given: Any) -> Call | None:
    """The call's name and arguments, where it has the right form."""
    function = said.function(given)
    try:
        arguments = json.loads(function["arguments"])
    except (KeyError, TypeError, ValueError):
        return None
    name = function.get("name")
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None


def _shown(calls: Sequence[Call]) -> str:
    return ", ".join(f"{name}({json.dumps(arguments, ensure_ascii=False)})" for name, arguments in calls)
