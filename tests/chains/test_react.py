import asyncio
import json
import logging
from pathlib import Path

import pytest

from chains.errors import ChainTimeout, ChainUnsupported, ToolNotFound
from chains.events import ChainRequest, Content, Finish, Limits, Reasoning, Step, Usage
from chains.react import React
from chains.testing import (
    Said,
    ScriptedEngine,
    asked,
    content,
    events_of,
    finish,
    reasoning,
)
from chains.tools import tool_schema
from tests.chains.reacting import asking, called, calls, hanging, steps, weather
from tests.chains.spelling import resources

pytestmark = pytest.mark.usefixtures("weather_tools")


@pytest.mark.parametrize("cut", [1, 3, 100_000])
async def test_streamed_is_what_unstreamed_is(cut: int) -> None:
    script = [calls("Bonn", say="Let me look.\n"), calls("北京"), Said(["It is", " sunny", " 晴。\n"])]
    streamed_engine, whole_engine = ScriptedEngine(script, cut=cut), ScriptedEngine(script)
    streamed = await events_of(React(), asking(True), streamed_engine)
    whole = await events_of(React(), asking(False), whole_engine)
    assert whole == [
        Content("Let me look."),
        Step("weather", {"city": "Bonn"}, '{"city": "Bonn", "sky": "晴"}'),
        Step("weather", {"city": "北京"}, '{"city": "北京", "sky": "晴"}'),
        Content("\n\nIt is sunny 晴。"),
        Content("\n"),
        Finish("stop", Usage(30, 15)),
    ]
    assert content(streamed) == content(whole)
    assert (steps(streamed), finish(streamed)) == (steps(whole), finish(whole))
    assert [b["messages"] for b in streamed_engine.bodies] == [b["messages"] for b in whole_engine.bodies]


@pytest.mark.parametrize("cut", [1, 100_000])
async def test_a_stop_string_is_about_the_content_and_not_about_calls_and_thoughts(cut: int) -> None:
    script = [calls("Bonn", say="<think>\nBonn\n</think>"), Said(["It is", " sunny\n", "And so on"])]
    told = []
    for stream in (True, False):
        engine = ScriptedEngine(script, cut=cut)
        events = await events_of(React(), asking(stream, parameters={"stop": ["\n", "city"]}), engine)
        assert [step.arguments for step in steps(events)] == [{"city": "Bonn"}]
        assert (reasoning(events), content(events)) == ("Bonn", "It is sunny")
        assert all("stop" not in body for body in engine.bodies)
        told.append(finish(events))
    assert told[0] == told[1]
    assert told[0].reason == "stop"


async def test_words_come_as_they_are_made() -> None:
    events = await events_of(React(), asking(True), ScriptedEngine([calls("Bonn"), Said(["It", " is", "!"])]))
    assert events[1:-1] == [Content("It"), Content(" is"), Content("!")]


async def test_the_model_sees_tools_and_messages_in_openais_form_word_for_word() -> None:
    parameters = {"temperature": 0, "max_tokens": 50, "min_tokens": 2, "seed": 3, "top_k": 1}
    odd = {"role": "user", "content": [{"type": "text", "text": "Weather?"}], "name": "ann"}
    request = ChainRequest([{"role": "system", "content": "Be brief."}, odd], parameters, True, ("weather",))
    engine = ScriptedEngine([calls("北京"), Said(["ok"])])
    await events_of(React(), request, engine)
    common = {**parameters, "tools": [tool_schema(weather)], "stream": True}
    common["stream_options"] = {"include_usage": True}
    first, second = engine.bodies
    assert first == {**common, "messages": [{"role": "system", "content": "Be brief."}, odd]}
    function = {"name": "weather", "arguments": '{"city": "北京"}'}
    assert second == {
        **common,
        "max_tokens": 45,  # the first call wrote five
        "min_tokens": 0,
        "messages": [
            {"role": "system", "content": "Be brief."},
            odd,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "id": "call_0", "function": function}],
            },
            {
                "role": "tool",
                "name": "weather",
                "tool_call_id": "call_0",
                "content": '{"city": "北京", "sky": "晴"}',
            },
        ],
    }


@pytest.mark.parametrize("stream", [True, False])
async def test_a_run_writes_no_more_than_the_client_allows(stream: bool) -> None:
    cut = Said(["Let me"], [("weather", '{"ci')], "length")
    for bound, said in (("max_tokens", calls("Bonn")), ("max_completion_tokens", cut)):
        engine = ScriptedEngine([said, Said(["never"])])
        events = await events_of(React(), asking(stream, parameters={bound: 5}), engine)
        assert finish(events) == Finish("length", Usage(10, 5))
        assert (content(events), steps(events)) == ("".join(said.pieces), [])
    assert called == []


async def test_without_tools_it_is_one_call() -> None:
    engine = ScriptedEngine([Said(["hello"])])
    events = await events_of(React(), asking(False, tools=()), engine)
    assert events == [Content("hello"), Finish("stop", Usage(10, 5))]
    assert "tools" not in engine.bodies[0]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("weather", '{"city": "Pompeii"}'), "error: weather failed (RuntimeError)"),
        (("weather", '{"town": "Bonn"}'), "error: wrong arguments for weather: city: Field required"),
        (("weather", '{"city": "Bo'), "error: the tool call is not valid JSON"),
        (("weather", '["Bonn"]'), "error: the tool call is not valid JSON"),
        (("weather", ""), "error: wrong arguments for weather: city: Field required"),
        (("whether", "{}"), "error: no tool 'whether'; the tools are: weather"),
    ],
)
async def test_a_failure_goes_to_the_model_and_not_to_the_client(
    stream: bool, call: tuple[str, str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = Said(calls=[call], reason="tool_calls")
    engine = ScriptedEngine([wanted, calls("Rome", say="Once more."), Said(["Sunny."])])
    with caplog.at_level(logging.CRITICAL):
        events = await events_of(React(), asking(stream), engine)
    assert content(events) == "Once more.\n\nSunny."
    step = steps(events)[0]
    assert step.result is None
    assert (step.error or "").startswith(told)
    result = engine.bodies[1]["messages"][-1]
    assert result["role"] == "tool"
    assert result["content"] == step.error
    sent = engine.bodies[1]["messages"][-2]["tool_calls"][0]
    assert isinstance(json.loads(sent["function"]["arguments"]), dict)
    assert sent["id"] == result["tool_call_id"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("question", ["Weather?", "天气？"])
async def test_a_tool_that_fails_again_ends_honestly(stream: bool, question: str) -> None:
    wrong = Said(calls=[("weather", "{}"), ("weather", "[]")], reason="tool_calls")
    request = asked(stream, question, tools=("weather",))
    engine = ScriptedEngine([wrong])
    events = await events_of(React(), request, engine)
    errors = [step.error or "" for step in steps(events)]
    assert ["Mend this and call once more" in error for error in errors] == [True, True, False, False]
    assert ["do not call weather again" in error for error in errors] == [False, False, True, True]
    ends = {"天气？": "抱歉，这个请求没能完成：weather 失败了两次。"}
    assert content(events) == ends.get(question, "Sorry, I could not do this: weather failed twice.")
    assert (len(engine.bodies), finish(events)) == (3, Finish("stop", Usage(30, 15)))


async def test_what_a_tool_says_no_to_is_no_failure_of_the_tool() -> None:
    engine = ScriptedEngine([calls("Atlantis"), calls("Atlantis"), calls("Atlantis"), Said(["No."])])
    events = await events_of(React(), asking(False), engine)
    assert content(events) == "No."
    assert [step.error for step in steps(events)] == ["error: no such city"] * 3


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_the_engine_could_not_read_is_not_shown(stream: bool) -> None:
    broken = Said(["Wait. <tool", '_call>\n{"name": "weather", "argu\n</tool_call>'])
    engine = ScriptedEngine([broken, calls("Bonn"), Said(["Fine."])])
    events = await events_of(React(), asking(stream), engine)
    assert content(events) == "Wait.\n\nFine."
    step = steps(events)[0]
    assert (step.error or "").startswith("error: the tool call is not valid JSON. Mend this")


@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_is_kept_out_of_the_content_and_the_history(stream: bool) -> None:
    first = Said(["<think>I need", " it</think>\n\n"], [("weather", '{"city": "Bonn"}')], "tool_calls")
    engine = ScriptedEngine([first, Said(["<think>Good</think>", "Sunny."])])
    events = await events_of(React(), asking(stream), engine)
    assert (content(events), reasoning(events)) == ("Sunny.", "I need it\n\nGood")
    assert engine.bodies[1]["messages"][1]["content"] == ""
    assert next(type(event) for event in events if not isinstance(event, Step)) is Reasoning


async def test_calls_in_one_answer_run_together_and_keep_their_order_for_the_model() -> None:
    engine = ScriptedEngine([calls("Bonn", "Rome"), Said(["ok"])])
    events = await events_of(React(), asking(True), engine)
    assert sorted(called) == ["Bonn", "Rome"]
    assert len(steps(events)) == 2
    results = [json.loads(m["content"])["city"] for m in engine.bodies[1]["messages"][-2:]]
    assert results == ["Bonn", "Rome"]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_bound_on_steps_ends_honestly(stream: bool) -> None:
    engine = ScriptedEngine([calls("Bonn", "Rome", say="Hm.")])
    events = await events_of(React(), asking(stream, limits=Limits(steps=3)), engine)
    assert len(engine.bodies) == 3
    assert sorted(called) == ["Bonn", "Bonn", "Rome", "Rome"]  # the last calls would have had no reader
    assert content(events) == "Hm.\n\nHm.\n\nHm.\n\nSorry, I could not finish this within 3 steps."
    assert finish(events) == Finish("stop", Usage(30, 15))


async def test_the_bound_speaks_the_language_of_the_question() -> None:
    request = asked(False, "北京天气？", tools=("weather",), limits=Limits(steps=1))
    events = await events_of(React(), request, ScriptedEngine([calls("北京")]))
    assert content(events) == "抱歉，我在1个步骤内没能完成这个请求。"


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_ran_out_of_tokens_says_so(stream: bool) -> None:
    engine = ScriptedEngine([Said(["It is"], reason="length")])
    assert finish(await events_of(React(), asking(stream), engine)).reason == "length"


@pytest.mark.parametrize("stream", [True, False])
async def test_errors_of_the_engine_come_out_as_themselves(stream: bool) -> None:
    error = ConnectionError("gone")
    with pytest.raises(ConnectionError) as caught:
        await events_of(React(), asking(stream), ScriptedEngine([calls("Bonn"), error]))
    assert caught.value is error
    assert str(error) == "gone"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cancelled_run_stops_the_engine_and_leaves_no_task(stream: bool) -> None:
    engine = ScriptedEngine([Said(["a"] * 9)], cut=8, stall=200)
    task = asyncio.create_task(events_of(React(), asking(stream), engine))
    await engine.stalled.wait()
    assert engine.running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (engine.running, engine.cancelled) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_in_the_middle_stops_the_engine_and_leaves_no_task() -> None:
    engine = ScriptedEngine([Said(["a"] * 50)], cut=8)
    run = React().run(asking(True), engine)
    assert await anext(run) == Content("a")
    await run.aclose()
    assert (engine.running, engine.cancelled) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_lets_go_of_a_tool() -> None:
    engine = ScriptedEngine([Said(calls=[("hang", "{}")], reason="tool_calls")])
    task = asyncio.create_task(events_of(React(), asking(True, tools=("hang",)), engine))
    await hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == ["hang", "let go"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("stream", [True, False])
async def test_the_limit_in_time_holds(stream: bool, tmp_path: Path) -> None:
    React().warm(resources(tmp_path))
    engine = ScriptedEngine([Said(["a"])], stall=0)
    with pytest.raises(ChainTimeout):
        await events_of(React(), asking(stream, limits=Limits(seconds=0.1)), engine)
    assert (engine.running, engine.cancelled) == (0, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_it_cannot_honour_is_refused_by_name() -> None:
    engine = ScriptedEngine([Said(["x"])])
    with pytest.raises(ChainUnsupported, match="'react' does not support the parameter 'n' = 2"):
        await events_of(React(), asking(True, parameters={"n": 2}), engine)
    with pytest.raises(ToolNotFound, match="nope"):
        await events_of(React(), asking(True, tools=("nope",)), engine)
    assert engine.bodies == []


async def test_runs_at_the_same_time_do_not_mix() -> None:
    chain = React()

    async def one(city: str) -> str:
        engine = ScriptedEngine([calls(city), Said([f"{city} ", "done"])], cut=5)
        return content(await events_of(chain, asking(True), engine))

    cities = ["Bonn", "Rome", "Oslo", "Kyiv"]
    assert await asyncio.gather(*map(one, cities)) == [f"{city} done" for city in cities]
