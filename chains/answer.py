"""Asks the engine once and reads its answer, streamed or whole, by one and the same code.

A whole answer is read as a stream of one piece, so the two can't differ.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.closing import closing
from chains.counted import reasoned_in
from chains.errors import EngineAnswerError
from chains.events import Engine, Usage
from chains.sse import EventReader, json_object


@dataclass(slots=True)
class Call:
    """A tool call as the model wrote it; ``arguments`` is JSON text, if the model kept to the form."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """The text in one piece of an answer."""

    content: str
    reasoning: str  # of an engine that takes it apart itself


_SILENT = Piece("", "")  # of the chunks that open a stream, end it or tell its usage


@dataclass(slots=True)
class Answer:
    """What is known of an answer besides its text; complete when the pieces have ended."""

    usage: Usage = field(default_factory=Usage)
    reason: str = ""  # the engine's finish_reason
    calls: list[Call] = field(default_factory=list)

    def add(self, chunk: Mapping[str, Any]) -> Piece:
        """Take in a chunk of a stream, or a whole answer; gives the text in it."""
        if usage := chunk.get("usage"):
            self.usage = Usage(
                usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, reasoned_in(usage)
            )
        choices = chunk.get("choices")
        if not choices:
            return _SILENT
        choice = choices[0]
        self.reason = choice.get("finish_reason") or self.reason
        delta = choice.get("delta") or choice.get("message") or {}
        for position, call in enumerate(delta.get("tool_calls") or []):
            self._add_call(call.get("index", position), call)
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        return Piece(delta.get("content") or "", reasoning)

    def _add_call(self, index: int, delta: Mapping[str, Any]) -> None:
        while len(self.calls) <= index:
            self.calls.append(Call())
        call, function = self.calls[index], delta.get("function") or {}
        call.id = call.id or delta.get("id") or ""
        call.name = call.name or function.get("name") or ""
        arguments = function.get("arguments") or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)


async def ask(
    engine: Engine, body: Mapping[str, Any], stream: bool, answer: Answer, count_along: bool = False
) -> AsyncGenerator[Piece, None]:
    """The pieces of the engine's answer to ``body`` that hold text, as they come; fills ``answer``.

    With ``count_along`` the usage is known after every piece, for a caller that may leave early.

    Raises:
        EngineAnswerError: the engine reports an error, or its answer is not of OpenAI's form.
    """
    try:
        if not stream:
            whole = json_object(await engine.complete({**body, "stream": False}))
            if not whole.get("choices"):
                raise EngineAnswerError("the engine's answer holds no choice")
            if (piece := answer.add(whole)) != _SILENT:
                yield piece
            return
        reader = EventReader()
        options = {"include_usage": True, **({"continuous_usage_stats": True} if count_along else {})}
        asked = {**body, "stream": True, "stream_options": options}
        async with closing(engine.stream(asked)) as source:
            async for data in source:
                for chunk in reader.feed(data):
                    if (piece := answer.add(chunk)) != _SILENT:
                        yield piece
        reader.end()
    except (AttributeError, KeyError, TypeError) as exc:
        raise EngineAnswerError("the engine's answer is not a chat completion") from exc
