import asyncio
from contextlib import aclosing

from chains.direct import Direct
from chains.events import Raw
from chains.testing import Said, ScriptedEngine, asked, events_of


async def test_a_stream_passes_byte_for_byte_and_piece_by_piece() -> None:
    data = b"data: \xff not even UTF-8\n\n"
    engine = ScriptedEngine([data], cut=5)
    events = await events_of(Direct(), asked(True, parameters={"n": 2, "tools": [1], "x": "y"}), engine)
    assert events == [Raw(data[at : at + 5]) for at in range(0, len(data), 5)]
    message = {"role": "user", "content": "hello"}
    assert engine.bodies == [{"n": 2, "tools": [1], "x": "y", "messages": [message], "stream": True}]


async def test_a_whole_body_passes_as_it_is() -> None:
    engine = ScriptedEngine([b"not json"])
    assert await events_of(Direct(), asked(False), engine) == [Raw(b"not json")]


async def test_leaving_stops_the_engine_at_once() -> None:
    engine = ScriptedEngine([Said(["a"] * 50)], cut=8)
    async with aclosing(Direct().run(asked(True), engine)) as events:
        await anext(events)
        assert engine.running == 1
    assert (engine.running, engine.cancelled) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
