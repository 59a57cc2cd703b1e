"""A client that wants a form gets it from one more call, behind all that the tools found."""

import json

import pytest

from chains.errors import AnswerInvalid, ParameterInvalid
from chains.events import Finish, Limits, Step, Usage
from chains.react import React
from chains.testing import (
    Said,
    ScriptedEngine,
    content,
    events_of,
    finish,
    reasoning,
)
from tests.chains.reacting import asking, calls

pytestmark = pytest.mark.usefixtures("weather_tools")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_binds_the_answer_and_not_the_calls_before_it(stream: bool) -> None:
    schema = {"type": "object", "required": ["sky"]}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "sky", "schema": schema}}}
    engine = ScriptedEngine([calls("Bonn", say="Hm."), Said(["It is 晴."]), Said(['{"sky": ', '"晴"}'])])
    events = await events_of(React(), asking(stream, parameters={**form, "seed": 1}), engine)
    assert content(events) == '{"sky": "晴"}'
    assert [event.tool for event in events if isinstance(event, Step)] == ["weather"]
    assert finish(events) == Finish("stop", Usage(30, 15))
    first, second, last = engine.bodies
    assert not form.keys() & (first.keys() | second.keys())
    assert form.items() <= last.items()
    assert "tools" not in last
    asked_for, result = last["messages"][-2:]
    assert asked_for["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Bonn"}'}
    assert (result["role"], json.loads(result["content"])["sky"]) == ("tool", "晴")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_json_answer_that_does_not_fit_is_asked_for_once_more(stream: bool) -> None:
    schema = {"type": "object", "required": ["sky"]}
    form = {"structured_outputs": {"json": schema}}
    engine = ScriptedEngine([calls("Bonn"), Said(["Sunny."]), Said(["{}"]), Said(['{"sky": 1}'])])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert content(events) == '{"sky": 1}'
    assert finish(events) == Finish("stop", Usage(40, 20))
    engine = ScriptedEngine([Said(["Sunny."]), Said(["{}"])])
    with pytest.raises(AnswerInvalid, match="'sky' is a required property"):
        await events_of(React(), asking(stream, parameters=form), engine)
    with pytest.raises(ParameterInvalid, match="the schema can't be used"):
        await events_of(React(), asking(stream, parameters={"structured_outputs": {"json": 7}}), engine)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_that_is_no_json_is_the_engines_to_keep(stream: bool) -> None:
    form = {"structured_outputs": {"choice": ["yes", "no"]}}
    engine = ScriptedEngine([Said(["Sunny."]), Said(["y", "es"], reason="length")])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert (content(events), finish(events)) == ("yes", Finish("length", Usage(20, 10)))
    assert form.items() <= engine.bodies[1].items()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tag_in_a_form_is_part_of_it(stream: bool) -> None:
    for form, text, said, reasoned in (
        ({"response_format": {"type": "json_object"}}, '{"a": "<think>1"}', '{"a": "<think>1"}', ""),
        ({"structured_outputs": {"regex": ".*"}}, "a <think>1", "a <think>1", ""),
        ({"structured_outputs": {"regex": ".*"}}, "<think>1</think> a<think>", "a<think>", "1"),
    ):
        engine = ScriptedEngine([Said(["Sunny."]), Said(list(text))])
        events = await events_of(React(), asking(stream, parameters=form), engine)
        assert (content(events), reasoning(events), finish(events).reason) == (said, reasoned, "stop")


async def test_a_form_is_kept_where_the_steps_run_out() -> None:
    engine = ScriptedEngine([calls("Bonn"), Said(["{}"])])
    request = asking(False, parameters={"structured_outputs": {"json": {}}}, limits=Limits(steps=2))
    events = await events_of(React(), request, engine)
    assert (content(events), finish(events).reason) == ("{}", "length")


@pytest.mark.parametrize(
    ("bound", "script"),
    [
        (1, [Said(["{}"])]),
        (2, [calls("Bonn"), Said(["{}"])]),
        (3, [calls("Bonn"), Said(["mild"]), Said(["{}"])]),
        (4, [calls("Bonn"), Said(["mild"]), Said(["no"]), Said(["{}"])]),
    ],
)
async def test_the_bound_on_steps_counts_the_calls_for_a_form(bound: int, script: list[Said]) -> None:
    form: dict[str, object] = {"structured_outputs": {"json": {}}}
    engine = ScriptedEngine(script)
    request = asking(True, parameters=form, limits=Limits(steps=bound))
    assert content(await events_of(React(), request, engine)) == "{}"
    assert len(engine.bodies) == bound

    engine = ScriptedEngine([*script[:-1], Said(["no"])])
    with pytest.raises(AnswerInvalid):
        await events_of(React(), request, engine)
    assert len(engine.bodies) == bound
