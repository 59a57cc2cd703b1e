"""What a plan's chain gives, with a trace where one is asked for: the calls of the model, tools and notes.

An answer that a chain passes on as the engine gave it has them in its own chunks, or in its body.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import orjson

from chains.events import Event, Finish, ModelCall, Note, Raw
from chains.sse import DONE, EventReader, json_object, sent
from service.api.chunks import traced_of
from service.api.relay import Relay
from service.dispatch import Plan
from service.exchange import Events
from service.gateway import Gateway
from service.model_calls import ModelCalls


def events_of(plan: Plan, gateway: Gateway, name: str, *, trace: bool, relay: Relay | None = None) -> Events:
    """The events of ``plan`` on the model ``name``; without a trace ``relay`` may take what is passed on."""
    if not trace:
        return plan.chain.run(plan.request, gateway.engine_of(plan, name, relay))
    calls = ModelCalls(name)
    running = plan.chain.run(plan.request, gateway.engine_of(plan, name, calls_to=calls))
    return traced(running, calls, stream=plan.request.stream)


def traced(events: Events, calls: ModelCalls, *, stream: bool) -> Events:
    """``events`` with ``calls``, of the engine that they come from."""
    return with_steps(with_calls(events, calls), stream=stream)


async def with_calls(events: Events, calls: ModelCalls) -> Events:
    """``events`` and ``calls``, each before what comes once it has ended, and none behind the Finish."""
    finished = False
    async with aclosing(events):
        async for event in events:
            for call in () if finished else calls.taken():
                yield call
            finished = finished or isinstance(event, Finish)
            yield event
    for call in () if finished else calls.taken():
        yield call


async def notes_held(events: Events) -> Events:
    """``events`` whose notes come with what follows them: it may be that the engine refuses.

    So do the calls of the model, of which one may be what it refused, and was then asked in another form.

    The error then has its status, as no stream has begun.
    """
    held: list[Note | ModelCall] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Note | ModelCall):
                held.append(event)
                continue
            for one in held:
                yield one
            held.clear()
            yield event


async def with_steps(events: Events, *, stream: bool) -> Events:
    """``events`` whose bytes hold the trace under ``pointsman``, as an answer of events does."""
    async with aclosing(_streamed(events) if stream else _whole(events)) as found:
        async for event in found:
            yield event


async def _whole(events: Events) -> Events:
    found: list[Event] = [event async for event in events]
    raw = b"".join(event.data for event in found if isinstance(event, Raw))
    if not raw:
        for event in found:
            yield event
        return
    yield Raw(orjson.dumps({**json_object(raw), "pointsman": {"steps": [], **traced_of(found)}}, default=str))


async def _streamed(events: Events) -> Events:
    """The calls of the model stand where the last choice ends; what ends is held until all are known."""
    reader, passed, calls, held = EventReader(), False, list[ModelCall](), list[dict[str, Any]]()
    async for event in events:
        if isinstance(event, ModelCall):
            calls.append(event)
            continue
        if not isinstance(event, Raw):
            for call in calls:
                yield call
            calls.clear()
            yield event
            continue
        passed, free = True, list[dict[str, Any]]()
        for chunk in reader.feed(event.data):
            choices = chunk.get("choices")
            if choices:
                free += held
                held.clear()
            ends = any(choice.get("finish_reason") for choice in choices or ())
            (held if ends or held else free).append(chunk)
        if free:
            yield Raw(b"".join(map(sent, free)))
    if passed:
        reader.end()
        if held:
            held[0]["pointsman"] = {"steps": [], **traced_of(calls)}
        yield Raw(b"".join(map(sent, held)) + DONE)
