"""The written form of react: Thought, Action, Action Input, Observation."""

import json
from typing import Any

import pytest

from chains.events import ChainRequest, Content, Finish, Limits, Reasoning, Step, Usage
from chains.react import React, ReactOptions
from chains.testing import (
    Said,
    ScriptedEngine,
    content,
    events_of,
    finish,
    reasoning,
)
from tests.chains.reacting import asking, called, steps

pytestmark = pytest.mark.usefixtures("weather_tools")


WRITTEN = ReactOptions(dialect="written")
LOOKED = [
    "Thought: I look",
    ' it up.\nAction: weather\nAction Input: {"city": "Bonn"}',
    "\nObservation: rain",
]


@pytest.mark.parametrize("cut", [1, 7, 100_000])
async def test_the_written_form_gives_the_same_events_streamed_and_not(cut: int) -> None:
    script = [Said(LOOKED), Said(["Thought: Now I", " know.\nFinal Answer: It is", " 晴."])]
    streamed_engine, whole_engine = ScriptedEngine(script, cut=cut), ScriptedEngine(script)
    streamed = await events_of(React(WRITTEN), asking(True), streamed_engine)
    whole = await events_of(React(WRITTEN), asking(False), whole_engine)
    step = Step("weather", {"city": "Bonn"}, '{"city": "Bonn", "sky": "晴"}')
    assert whole == [
        Reasoning("I look it up."),
        step,
        Reasoning("\n\nNow I know."),
        Content("It is 晴."),
        Finish("stop", Usage(20, 10)),
    ]
    assert (content(streamed), reasoning(streamed)) == ("It is 晴.", "I look it up.\n\nNow I know.")
    assert steps(streamed) == [step]
    assert finish(streamed).reason == "stop"
    bodies = [[b["messages"] for b in engine.bodies] for engine in (streamed_engine, whole_engine)]
    assert bodies[0] == bodies[1]


TAGGED = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bonn"}}\n</tool_call>'
FINAL = "Thought: I know.\nAction: Final Answer\nAction Input: It is 晴."


@pytest.mark.parametrize("cut", [1, 100_000])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("last", [FINAL, "Thought: I know.\nAnswer: It is 晴."])
async def test_calls_in_tags_and_answers_by_another_name_are_read(stream: bool, cut: int, last: str) -> None:
    engine = ScriptedEngine([Said([TAGGED]), Said([last])], cut=cut)
    events = await events_of(React(WRITTEN), asking(stream), engine)
    assert steps(events) == [Step("weather", {"city": "Bonn"}, '{"city": "Bonn", "sky": "晴"}')]
    assert (content(events), reasoning(events)) == ("It is 晴.", "I know.")
    assert engine.bodies[1]["messages"][2]["content"] == TAGGED
    assert len(engine.bodies) == 2


async def test_the_written_form_tells_tools_in_the_prompt_and_results_as_observations() -> None:
    engine = ScriptedEngine([Said(LOOKED), Said(["Final Answer: ok"])])
    await events_of(React(WRITTEN), asking(False, parameters={"temperature": 0}), engine)
    first, second = engine.bodies
    assert not {"tools", "tool_choice"} & first.keys()
    assert "\nObservation:" in first["stop"]
    system = first["messages"][0]
    assert system["role"] == "system"
    assert "weather: Tell the weather." in system["content"]
    assert "one of weather" in system["content"]
    assert second["messages"][2:] == [
        {"role": "assistant", "content": "".join(LOOKED[:2])},
        {"role": "user", "content": 'Observation: {"city": "Bonn", "sky": "晴"}'},
    ]


async def test_calls_of_the_history_are_told_in_written_form() -> None:
    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    call = {"id": "1", "type": "function", "function": function}
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Rome?"},
        {"role": "assistant", "content": None, "tool_calls": [call, call]},
        {"role": "tool", "tool_call_id": "1", "content": "wet"},
        {"role": "tool", "tool_call_id": "1", "content": "dry"},
        {"role": "user", "content": "and now?"},
    ]
    engine = ScriptedEngine([Said(["Final Answer: ok"])])
    await events_of(React(WRITTEN), ChainRequest(history, {}, False, ("weather",)), engine)
    action = 'Action: weather\nAction Input: {"city": "Rome"}'
    assert engine.bodies[0]["messages"][2:4] == [
        {"role": "assistant", "content": f"{action}\n{action}"},
        {"role": "user", "content": "Observation: wet\nObservation: dry"},
    ]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("turn", ["Thought: hm", "Action: weather\nAction Input: {'city'"])
async def test_a_turn_that_cannot_be_read_goes_back_with_the_form(stream: bool, turn: str) -> None:
    engine = ScriptedEngine([Said([turn]), Said(["Final Answer: I could not."])])
    events = await events_of(React(WRITTEN), asking(stream), engine)
    named = turn.startswith("Action")  # without a tool's name it is no call, and the answer stands
    assert content(events) == ("Sorry, I could not do this: weather failed." if named else "I could not.")
    assert (steps(events)[0].error or "").startswith("error: this can't be read. Write 'Action:'")
    assert engine.bodies[1]["messages"][-1]["content"].startswith("Observation: error: this can't be read")


@pytest.mark.parametrize("stream", [True, False])
async def test_the_written_form_is_bounded_and_honours_stop_and_length(stream: bool) -> None:
    engine = ScriptedEngine([Said(LOOKED)])
    events = await events_of(React(WRITTEN), asking(stream, limits=Limits(steps=2)), engine)
    assert (len(engine.bodies), called) == (2, ["Bonn"])
    assert content(events) == "Sorry, I could not finish this within 2 steps."
    assert finish(events).reason == "stop"
    cut = Said(['Thought: I\nAction: weather\nAction Input: {"city": "Bo'], reason="length")
    events = await events_of(React(WRITTEN), asking(stream), ScriptedEngine([cut]))
    assert (steps(events), finish(events).reason) == ([], "length")
    said = Said(["Thought: END\nFinal Answer: one", " END two"])
    events = await events_of(
        React(WRITTEN), asking(stream, parameters={"stop": "END"}), ScriptedEngine([said])
    )
    assert (content(events).strip(), reasoning(events), finish(events).reason) == ("one", "END", "stop")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<tool_call>", ""),
        ("<tool_call>\n", ""),
        ("I look.\n<tool_call>", "I look."),
        ("Final Answer: It is.\n<tool_call>", "It is."),
        ("It is in <tool_call> tags.", "It is in <tool_call> tags."),
    ],
)
async def test_the_tag_of_a_call_that_was_cut_off_is_no_answer(stream: bool, said: str, told: str) -> None:
    engine = ScriptedEngine([Said([said], reason="length")], cut=1)
    events = await events_of(React(WRITTEN), asking(stream), engine)
    assert (content(events).strip(), steps(events), finish(events).reason) == (told, [], "length")


@pytest.mark.parametrize("stream", [True, False])
async def test_what_can_never_be_read_ends_honestly(stream: bool) -> None:
    engine = ScriptedEngine([Said(["Thought: hm\nAction Input: {"])])
    events = await events_of(React(WRITTEN), asking(stream), engine)
    assert len(engine.bodies) == 3
    assert content(events) == "Sorry, I could not do this: twice I wrote a tool call that can't be read."


async def test_the_written_form_with_a_schema_for_the_answer() -> None:
    form = {"structured_outputs": {"json": {"required": ["sky"]}}}
    tried = Said(["{"], reason="length")
    engine = ScriptedEngine([tried, Said(LOOKED), Said(["Final Answer: 晴"]), Said(['{"sky": 1}'])])
    events = await events_of(React(WRITTEN), asking(False, parameters=form), engine)
    assert content(events) == '{"sky": 1}'
    assert [message["role"] for message in engine.bodies[-1]["messages"]] == ["user", "assistant", "user"]


async def test_without_tools_nothing_is_told_of_them() -> None:
    engine = ScriptedEngine([Said(["Thought: hello"])])
    events = await events_of(React(WRITTEN), asking(False, tools=()), engine)
    assert (content(events), len(engine.bodies[0]["messages"])) == ("Thought: hello", 1)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("dialect", "text", "counted"),
    [
        ("written", "Thought: easy\nFinal Answer: 42", None),  # no tag marks the thought
        ("written", "Final Answer: 42", 4),
        ("calls", "<think>easy</think>42", 4),
    ],
)
async def test_thoughts_in_words_are_not_counted(
    stream: bool, dialect: Any, text: str, counted: int | None
) -> None:
    usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 7}
    usage |= {"completion_tokens_details": {"reasoning_tokens": 4}}  # as the engine counts by tags
    said = {"content": text, "role": "assistant"}
    choice = {"index": 0, "delta" if stream else "message": said, "finish_reason": "stop"}
    whole = json.dumps({"choices": [choice], "usage": usage}).encode()
    engine = ScriptedEngine([b"data: " + whole + b"\n\ndata: [DONE]\n\n" if stream else whole])
    events = await events_of(React(ReactOptions(dialect=dialect)), asking(stream), engine)
    assert content(events) == "42"
    assert finish(events).usage == Usage(9, 7, counted)
