"""How a model that uses tools is spoken to: by the engine's tool calls, or in written form.

A dialect turns the body of a call into what the engine is sent, and reads the text that comes back. Knows
nothing of the agent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chains.action_input import arguments_in, tool_named
from chains.answer import Call
from chains.events import Message
from chains.messages import text_of, with_system
from chains.splitter import Part, Splitter
from chains.stop import StopAt, stops_of
from chains.turn import TurnReader

NAMELESS = "unreadable"  # the tool of a call of which not even that can be read
UNREADABLE = "_unreadable"  # the one argument of a call that can't be read; its value is what was written
_OBSERVATION = ("\nObservation:", "\n观察：", "\n观察:")  # where an engine stops that can
_FORMAT = """\
You can use these tools:

{tools}

To use one, write

Thought: why a tool is needed
Action: the tool, one of {names}
Action Input: its arguments, a JSON object

and stop there. What the tool answers is told to you as an Observation. Write an Action only if you need \
one. Once you can answer, write

Thought: why this is the answer
Final Answer: what you say to the user, in the user's language"""


class Reading(Protocol):
    """One answer of the model while it comes."""

    @property
    def done(self) -> bool:
        """Whether what else comes does not count."""
        ...

    @property
    def cut(self) -> bool:
        """Whether the answer broke off inside what is no answer."""
        ...

    def feed(self, text: str) -> list[Part]:
        """The reasoning and the content that ``text`` completes."""
        ...

    def end(self) -> list[Part]:
        """What was held back, when no more text comes."""
        ...

    def calls(self, engines: Sequence[Call], cut: bool) -> list[Call]:
        """The calls of the answer, given those that the engine read; ``cut``: it ran out of tokens."""
        ...

    @property
    def said(self) -> str | None:
        """The answer as the model is to see it later; None: as its content and its calls."""
        ...


class Dialect(Protocol):
    """A way to offer tools and to read calls."""

    unreadable: str  # what the model is told of a call that can't be read
    leaves_early: bool  # whether an answer may be left before its end, so that usage must come along it
    marks_reasoning: bool  # whether tags stand around it, by which its tokens can be counted
    marks_calls: bool  # whether tags stand around a call, so that one that can't be read is one all the same

    def asked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """``body``, which may have tools and calls in OpenAI's form, as the engine is sent it."""
        ...

    def reading(self, body: Mapping[str, Any]) -> Reading:
        """What reads the answer to ``body``."""
        ...


class Calls:
    """The engine's own tool calls."""

    unreadable = "error: the tool call is not valid JSON"
    leaves_early = False
    marks_reasoning = True
    marks_calls = True

    def asked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(body)

    def reading(self, body: Mapping[str, Any]) -> Reading:
        return _CallsReading(stops_of(body))


class _CallsReading:
    said = None

    def __init__(self, stops: list[str]) -> None:
        self._splitter = Splitter("reasoning", "call")
        self._stop = StopAt(stops)
        self._unread = ""

    @property
    def done(self) -> bool:
        return self._stop.reached

    @property
    def cut(self) -> bool:
        return self._splitter.unclosed == "reasoning"

    def feed(self, text: str) -> list[Part]:
        return self._kept(self._splitter.feed(text))

    def end(self) -> list[Part]:
        parts, tail = self._kept(self._splitter.end()), self._stop.end()
        return [*parts, Part("content", tail)] if tail else parts

    def calls(self, engines: Sequence[Call], cut: bool) -> list[Call]:
        if self._unread and not engines:
            engines = [Call(name=NAMELESS, arguments=self._unread)]
        return [] if cut else list(engines)

    def _kept(self, parts: list[Part]) -> list[Part]:
        self._unread += "".join(part.text for part in parts if part.kind == "call")
        return _stopped([part for part in parts if part.kind != "call"], self._stop)


class Written:
    """Thought, Action, Action Input and Observation in plain text, for models without tool calls."""

    unreadable = (
        "error: this can't be read. Write 'Action:' with the name of one tool and 'Action Input:' with a "
        "JSON object, or 'Final Answer:' with the answer"
    )
    leaves_early = True
    marks_reasoning = False
    marks_calls = False

    def asked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        tools = body.get("tools") or []
        messages = in_words(body["messages"])
        if not tools:
            return {**body, "messages": messages}
        rest = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
        functions = [tool["function"] for tool in tools]
        names = ", ".join(function["name"] for function in functions)
        told = _FORMAT.format(tools="\n\n".join(map(_described, functions)), names=names)
        return {**rest, "messages": with_system(messages, told), "stop": list(_OBSERVATION)}

    def reading(self, body: Mapping[str, Any]) -> Reading:
        tools = body.get("tools") or []
        return (
            _WrittenReading([tool["function"] for tool in tools], stops_of(body))
            if tools
            else _CallsReading(stops_of(body))
        )


class _WrittenReading:
    def __init__(self, functions: Sequence[Mapping[str, Any]], stops: list[str]) -> None:
        self._parameters = {str(f["name"]): f.get("parameters") or {} for f in functions}
        self._splitter = Splitter("reasoning")
        self._turn = TurnReader(list(self._parameters))
        self._stop = StopAt(stops)

    @property
    def done(self) -> bool:
        return self._turn.done or self._stop.reached

    @property
    def cut(self) -> bool:
        return self._splitter.unclosed is not None

    @property
    def said(self) -> str:
        return self._turn.said

    def feed(self, text: str) -> list[Part]:
        return self._read(self._splitter.feed(text))

    def end(self) -> list[Part]:
        parts = self._read(self._splitter.end())
        parts += _stopped(self._turn.end(), self._stop)
        tail = self._stop.end()
        return [*parts, Part("content", tail)] if tail else parts

    def calls(self, engines: Sequence[Call], cut: bool) -> list[Call]:
        if self._turn.answered or cut:
            return []
        found = []
        for action in self._turn.actions:
            name, inline = tool_named(action.name, list(self._parameters))
            written = inline if action.written is None else action.written
            arguments = arguments_in(written, self._parameters.get(name) or {}, name)
            given = {UNREADABLE: written} if arguments is None else arguments
            found.append(Call(name=name, arguments=json.dumps(given, ensure_ascii=False)))
        return found or [Call(name=NAMELESS, arguments=self._turn.said)]

    def _read(self, parts: list[Part]) -> list[Part]:
        found: list[Part] = []
        for part in parts:
            found += [part] if part.kind == "reasoning" else _stopped(self._turn.feed(part.text), self._stop)
        return found


def _stopped(parts: list[Part], stop: StopAt) -> list[Part]:
    """``parts`` up to the client's stop strings, which are about the content."""
    found = []
    for part in parts:
        text = stop.feed(part.text) if part.kind == "content" else part.text
        if text:
            found.append(Part(part.kind, text))
    return found


def in_words(messages: Sequence[Message]) -> list[Message]:
    """``messages`` with calls and results in written form; results in a row are one message of the user."""
    found: list[Message] = []
    results = False  # whether the last message that was added holds results
    for message in messages:
        if message.get("role") == "tool":
            told = f"Observation: {text_of(message)}"
            if results:
                found[-1] = {"role": "user", "content": f"{found[-1]['content']}\n{told}"}
            else:
                found.append({"role": "user", "content": told})
            results = True
            continue
        results = False
        found.append(_called(message) if message.get("tool_calls") else message)
    return found


def _called(message: Message) -> Message:
    functions = [call["function"] for call in message["tool_calls"]]
    lines = [f"Action: {f['name']}\nAction Input: {f.get('arguments') or '{}'}" for f in functions]
    before = text_of(message)
    return {"role": "assistant", "content": "\n".join([*([before] if before else []), *lines])}


def _described(function: Mapping[str, Any]) -> str:
    parameters = json.dumps(function.get("parameters") or {}, ensure_ascii=False)
    return f"{function['name']}: {function.get('description') or ''}\nArguments: {parameters}"
