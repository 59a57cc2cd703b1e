"""For tests of chains: an engine that says what it is told to, in vLLM's form, cut where one likes.

And what such a test asks with, and reads out of the events.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chains.answer import Answer, Call
from chains.events import Chain, ChainRequest, Content, Engine, Event, Finish, Raw, Reasoning
from chains.sse import EventReader, json_object
from chains.stop import StopAt, stops_of


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its text in pieces, its tool calls, what it cost."""

    pieces: Sequence[str] = ()
    calls: Sequence[tuple[str, str]] = ()  # name, arguments as JSON text
    reason: str = "stop"
    tokens: tuple[int, int] = (10, 5)

    def whole(self) -> bytes:
        """As an answer that is not streamed."""
        calls = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(self.calls)
        ]
        message = {"role": "assistant", "content": "".join(self.pieces) or None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": self.reason}
        return json.dumps({"choices": [choice], "usage": self._usage()}, ensure_ascii=False).encode()

    def events(self) -> bytes:
        """As server-sent events."""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in self.pieces]
        for index, (name, arguments) in enumerate(self.calls):
            head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name}}
            deltas.append({"tool_calls": [head]})
            for letter in arguments:
                deltas.append({"tool_calls": [{"index": index, "function": {"arguments": letter}}]})
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": self.reason}]})
        chunks.append({"choices": [], "usage": self._usage()})
        lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
        return ("".join(lines) + "data: [DONE]\n\n").encode()

    def until(self, stops: Sequence[str]) -> Said:
        """The same, ended at the first of ``stops`` in the text; the calls come behind that."""
        stop = StopAt(list(stops))
        pieces = [text for piece in self.pieces if (text := stop.feed(piece))]
        return replace(self, pieces=pieces, calls=(), reason="stop") if stop.reached else self

    def _usage(self) -> dict[str, int]:
        prompt, completion = self.tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


@dataclass(slots=True)
class ScriptedEngine:
    """Gives ``script`` answer by answer, the last one again and again; ``bodies`` is what it was asked.

    A :class:`Said` ends at the ``stop`` that it is asked with, as at vLLM; bytes come as they are.

    With ``stall`` an answer waits for ever, a stream after that many bytes; ``stalled`` is then set.
    """

    script: Sequence[Said | bytes | Exception]
    cut: int = 64  # bytes a piece
    stall: int | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0  # answers now
    cancelled: int = 0  # answers that were left before their end

    def _next(self, body: Mapping[str, Any]) -> Said | bytes:
        self.bodies.append(dict(body))
        said = self.script[min(len(self.bodies), len(self.script)) - 1]
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, bytes) else said.until(stops_of(body))

    async def _stall(self) -> None:
        self.stalled.set()
        await asyncio.Event().wait()

    async def clip(self, text: str, tokens: int) -> str:
        """So many words of ``text``, as if each were a token with the space before it."""
        return "".join(re.findall(r"\s*\S+", text)[:tokens])

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The next answer."""
        assert body.get("stream") is False
        said = self._next(body)
        self.running += 1
        try:
            await (self._stall() if self.stall is not None else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return said if isinstance(said, bytes) else said.whole()

    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """The next answer, ``cut`` bytes a piece."""
        assert body.get("stream") is True
        said = self._next(body)
        data = said if isinstance(said, bytes) else said.events()
        self.running += 1
        try:
            for at in range(0, len(data), self.cut):
                if self.stall is not None and at >= self.stall:
                    await self._stall()
                yield data[at : at + self.cut]
                await asyncio.sleep(0)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


async def events_of(chain: Chain, request: ChainRequest, engine: Engine) -> list[Event]:
    """All that ``chain`` gives."""
    return [event async for event in chain.run(request, engine)]


def content(events: Iterable[Event]) -> str:
    """The answer's text, in events or in bytes of the engine."""
    given = list(events)
    said = "".join(event.text for event in given if isinstance(event, Content))
    return said + _passed(given)[0]


def calls(events: Iterable[Event]) -> list[Call]:
    """The calls of the client's tools, which come in bytes of the engine."""
    return _passed(events)[1].calls


def reasoning(events: Iterable[Event]) -> str:
    """What was reasoned before it."""
    return "".join(event.text for event in events if isinstance(event, Reasoning))


def finish(events: Sequence[Event]) -> Finish:
    """The last event, which must be the only one of its kind."""
    assert isinstance(events[-1], Finish)
    assert not any(isinstance(event, Finish) for event in events[:-1])
    return events[-1]


def _passed(events: Iterable[Event]) -> tuple[str, Answer]:
    """The text in the bytes of the engine, streamed or whole, and what else they say."""
    data = b"".join(event.data for event in events if isinstance(event, Raw))
    answer, reader = Answer(), EventReader()
    if not data.startswith(b"data:"):
        return (answer.add(json_object(data)).content if data else ""), answer
    text = "".join(answer.add(chunk).content for chunk in reader.feed(data))
    return text, answer


def asked(stream: bool, text: str = "hello", **more: Any) -> ChainRequest:
    """A request of one message; ``more`` are other fields of it."""
    return ChainRequest(
        messages=[{"role": "user", "content": text}],
        parameters=more.pop("parameters", {}),
        stream=stream,
        **more,
    )
