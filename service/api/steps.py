"""The trace of a stream, or of an answer that a chain passes on as the engine gave it."""

from __future__ import annotations

from contextlib import aclosing

import orjson

from chains.events import Event, Note, Raw, Step
from chains.sse import DONE, EventReader, json_object, sent
from service.api.chunks import traced_of
from service.exchange import Events


async def notes_held(events: Events) -> Events:
    """``events`` whose notes come with what follows them: it may be that the engine refuses.

    The error then has its status, as no stream has begun.
    """
    held: list[Note] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Note):
                held.append(event)
                continue
            for note in held:
                yield note
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
    reader, passed, told = EventReader(), False, False
    async for event in events:
        told = told or isinstance(event, Step)
        if not isinstance(event, Raw):
            yield event
            continue
        passed, chunks = True, reader.feed(event.data)
        for chunk in chunks:
            if not told and any(choice.get("finish_reason") for choice in chunk.get("choices") or ()):
                chunk["pointsman"], told = {"steps": []}, True
        if chunks:
            yield Raw(b"".join(map(sent, chunks)))
    if passed:
        reader.end()
        yield Raw(DONE)
