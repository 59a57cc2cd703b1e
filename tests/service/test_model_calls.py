"""Calls of the model as they are told: what each was for, how it ended and what it cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chains.events import Engine, ModelCall
from chains.purpose import Meant, purpose
from chains.sse import EventReader
from service.calls import ReadableCalls
from service.errors import EngineRefused
from service.model_calls import ModelCalls, Watched
from tests.service.streaming import usage
from tests.service.test_calls import BROKEN, CALL, TOOLS, HalfReading


@dataclass
class TwoChoices:
    """An engine that writes two choices, three tokens each, and tells what they cost along the way."""

    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        self.bodies.append(body)
        if "refused" in body:
            raise EngineRefused(400, "not this one")
        choices = [{"index": at, "message": {"content": "abc"}, "finish_reason": "stop"} for at in (0, 1)]
        return json.dumps({"choices": choices, "usage": usage(7, 6)}).encode()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        self.bodies.append(body)
        chunks = []
        for written in (1, 2, 3):
            for at in (0, 1):
                end = "stop" if written == 3 else None
                choice = {"index": at, "delta": {"content": "abc"[written - 1]}, "finish_reason": end}
                chunks.append({"choices": [choice], "usage": usage(7, written)})
        chunks.append({"choices": [], "usage": usage(7, 6)})
        yield b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)
        yield b"data: [DONE]\n\n"


def told(calls: ModelCalls) -> list[ModelCall]:
    """What was told, without the seconds."""
    found = list(calls.taken())
    assert all(0 <= one.seconds < 60 for one in found)
    return [replace(one, seconds=0.0) for one in found]


async def streamed(engine: Engine, **body: Any) -> list[dict[str, Any]]:
    reader = EventReader()
    found = [chunk async for data in engine.stream({"messages": [], **body}) for chunk in reader.feed(data)]
    reader.end()
    return found


async def test_choices_are_one_call() -> None:
    engine, calls = TwoChoices(), ModelCalls("base")
    watched = Watched(engine, calls)
    await watched.complete({"messages": []})
    chunks = await streamed(watched)
    assert told(calls) == [ModelCall("base", "answer", ("stop", "stop"), 7, 6, 0.0)] * 2
    assert list(calls.taken()) == []
    assert len(chunks) == 6
    assert not any("usage" in chunk for chunk in chunks)


async def test_the_usage_that_the_client_asks_for_stays() -> None:
    engine = TwoChoices()
    wanted: dict[str, Any] = {"include_usage": True}
    chunks = await streamed(Watched(engine, ModelCalls("base")), stream_options=wanted)
    assert [chunk.get("usage") for chunk in chunks] == [None] * 6 + [usage(7, 6)]
    wanted["continuous_usage_stats"] = True
    chunks = await streamed(Watched(engine, ModelCalls("base")), stream_options=wanted)
    assert all(chunk["usage"] for chunk in chunks)


async def test_a_call_that_is_left_counts_what_was_taken() -> None:
    calls = ModelCalls("base")
    async with aclosing(Watched(TwoChoices(), calls).stream({"messages": []})) as events:
        for _ in range(3):  # two tokens of the first choice, one of the second
            await anext(events)
        assert list(calls.taken()) == []
    assert told(calls) == [ModelCall("base", "answer", (None, None), 7, 3, 0.0)]


async def test_a_call_that_is_refused_says_so() -> None:
    calls = ModelCalls("base")
    with pytest.raises(EngineRefused):
        await Watched(TwoChoices(), calls).complete({"refused": True})
    assert told(calls) == [ModelCall("base", "answer", (), None, None, 0.0, "not this one")]


async def test_calls_are_told_in_the_order_in_which_they_began() -> None:
    calls = ModelCalls("base")
    watched = Watched(TwoChoices(), calls)
    async with aclosing(Meant(watched, "first").stream({"messages": []})) as events:
        await anext(events)
        assert purpose() == "answer"  # who reads an answer may ask for something else
        await Meant(Meant(watched, "choice 1"), "repair").complete({"messages": []})
        assert list(calls.taken()) == []
    assert [call.purpose for call in calls.taken()] == ["first", "choice 1: repair"]


async def test_calls_at_the_same_time_keep_their_purposes() -> None:
    calls = ModelCalls("base")
    watched = Watched(TwoChoices(), calls)
    await asyncio.gather(*(streamed(Meant(watched, f"sample {number}")) for number in (1, 2, 3)))
    assert [call.purpose for call in calls.taken()] == ["sample 1", "sample 2", "sample 3"]


async def test_a_second_try_for_a_tools_call_is_a_call() -> None:
    for stream in (False, True):
        engine, calls = HalfReading(BROKEN, second=CALL), ModelCalls("base")
        readable = ReadableCalls(Watched(engine, calls), engine.text_of)
        body: dict[str, Any] = {"messages": [], "tools": TOOLS}
        if stream:
            chunks = await streamed(readable, **body, stream_options={"include_usage": True})
            assert chunks[-1]["usage"] == usage(50, 13)
        else:
            assert json.loads(await readable.complete(body))["usage"] == usage(50, 13)
        assert told(calls) == [
            ModelCall("base", "answer", ("stop",), 20, 5, 0.0),
            ModelCall("base", "call again", ("tool_calls",), 30, 8, 0.0),
        ]
