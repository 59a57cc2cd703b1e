import asyncio

import pytest

from chains.cot import Cot
from chains.errors import ChainTimeout, EngineAnswerError
from chains.events import Content, Finish, Limits, Reasoning, Usage
from chains.testing import (
    Said,
    ScriptedEngine,
    asked,
    content,
    events_of,
    finish,
    reasoning,
)

THOUGHT = ["<thi", "nk>\n12 + 30", " = 42，对\n</", "think>\n\nIt is", " 42", "。"]


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 100_000])
async def test_streamed_is_what_unstreamed_is(cut: int) -> None:
    streamed = await events_of(Cot(), asked(True), ScriptedEngine([Said(THOUGHT)], cut=cut))
    whole = await events_of(Cot(), asked(False), ScriptedEngine([Said(THOUGHT)]))
    assert whole == [Reasoning("12 + 30 = 42，对"), Content("It is 42。"), Finish("stop", Usage(10, 5))]
    assert content(streamed) == "It is 42。"
    assert reasoning(streamed) == "12 + 30 = 42，对"
    assert finish(streamed) == finish(whole)


async def test_text_comes_as_it_is_made() -> None:
    engine = ScriptedEngine([Said(THOUGHT)], cut=10_000)
    events = await events_of(Cot(), asked(True), engine)
    assert events[:-1] == [
        Reasoning("12 + 30"),
        Reasoning(" = 42，对"),
        Content("It is"),
        Content(" 42"),
        Content("。"),
    ]


@pytest.mark.parametrize("stream", [True, False])
async def test_no_tag_is_all_content(stream: bool) -> None:
    events = await events_of(Cot(), asked(stream), ScriptedEngine([Said(["\n4", "2\n"])]))
    assert (content(events), reasoning(events), finish(events).reason) == ("\n42\n", "", "stop")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", ["length", "stop"])
async def test_reasoning_that_never_ends_leaves_no_content(stream: bool, reason: str) -> None:
    said = Said(["<think>\n1 and", " 2 \n"], reason=reason)
    events = await events_of(Cot(), asked(stream), ScriptedEngine([said]))
    assert (content(events), reasoning(events), finish(events).reason) == ("", "1 and 2", "length")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("stop", ["\n", ["x", "\n", "。"]])
async def test_stop_is_about_the_answer_and_not_the_reasoning(stream: bool, stop: object) -> None:
    said = Said(["<think>\na\nb\n</think>\n\n", "It is 42", "。\n", "And more. " * 50])
    engine = ScriptedEngine([said], cut=10)
    events = await events_of(Cot(), asked(stream, parameters={"stop": stop}), engine)
    assert content(events) == ("It is 42。" if stop == "\n" else "It is 42")
    assert (reasoning(events), finish(events).reason) == ("a\nb", "stop")
    assert "stop" not in engine.bodies[0]
    assert engine.bodies[0]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert (engine.running, engine.cancelled) == (0, 1)  # the rest was never made


async def test_reasoning_that_the_engine_takes_apart_itself_passes() -> None:
    body = (
        b'{"choices": [{"message": {"content": "42", "reasoning_content": "hm"}, "finish_reason": "stop"}]}'
    )
    events = await events_of(Cot(), asked(False), ScriptedEngine([body]))
    assert events == [Reasoning("hm"), Content("42"), Finish("stop", Usage(0, 0))]


async def test_sampling_goes_to_the_engine_and_nothing_else_does() -> None:
    parameters = {"temperature": 0, "seed": 7, "max_tokens": 9, "model": "auto", "n": 1, "tools": []}
    engine = ScriptedEngine([Said(["x"])])
    await events_of(Cot(), asked(True, parameters=parameters), engine)
    assert engine.bodies == [
        {
            "temperature": 0,
            "seed": 7,
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


@pytest.mark.parametrize("stream", [True, False])
async def test_errors_of_the_engine_come_out_as_they_are(stream: bool) -> None:
    with pytest.raises(ConnectionError, match="gone"):
        await events_of(Cot(), asked(stream), ScriptedEngine([ConnectionError("gone")]))
    error = b'data: {"error": {"message": "bad"}}\n\n' if stream else b'{"error": {"message": "bad"}}'
    with pytest.raises(EngineAnswerError, match="bad"):
        await events_of(Cot(), asked(stream), ScriptedEngine([error]))


@pytest.mark.parametrize("body", [b"{}", b'{"choices": [7]}', b'{"choices": [{"message": 7}]}'])
async def test_an_answer_of_another_form_is_an_error(body: bytes) -> None:
    with pytest.raises(EngineAnswerError, match=r"no choice|not a chat completion"):
        await events_of(Cot(), asked(False), ScriptedEngine([body]))


@pytest.mark.parametrize("stream", [True, False])
async def test_the_limit_in_time_holds(stream: bool) -> None:
    engine = ScriptedEngine([Said(THOUGHT)], stall=0)
    with pytest.raises(ChainTimeout, match=r"0\.05 s"):
        await events_of(Cot(), asked(stream, limits=Limits(seconds=0.05)), engine)
    assert (engine.running, engine.cancelled) == (0, 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cancelled_run_stops_the_engine_and_leaves_no_task(stream: bool) -> None:
    engine = ScriptedEngine([Said(THOUGHT)], cut=8, stall=100)
    task = asyncio.create_task(events_of(Cot(), asked(stream), engine))
    await engine.stalled.wait()
    assert engine.running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (engine.running, engine.cancelled) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_in_the_middle_stops_the_engine() -> None:
    engine = ScriptedEngine([Said(THOUGHT)], cut=8)
    run = Cot().run(asked(True), engine)
    first = await anext(run)
    await run.aclose()
    assert first == Reasoning("12 + 30")
    assert (engine.running, engine.cancelled) == (0, 1)
