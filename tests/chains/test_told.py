"""The steps of one turn are told in the order in which the model made its calls."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage

from chains.events import Content, Step
from chains.react import React
from chains.testing import Said, ScriptedEngine, events_of
from chains.told import Told
from chains.tools import tool_from
from tests.chains import reacting
from tests.chains.reacting import asking, steps


@pytest.mark.usefixtures("weather_tools")
@pytest.mark.parametrize("form", [{}, {"response_format": {"type": "json_object"}}])
@pytest.mark.parametrize("stream", [True, False])
async def test_calls_of_one_turn_are_told_in_the_order_in_which_they_were_made(
    monkeypatch: pytest.MonkeyPatch, stream: bool, form: dict[str, Any]
) -> None:
    ended = asyncio.Event()

    async def soon() -> str:
        """Answer first."""
        ended.set()
        return "soon"

    async def late() -> str:
        """Answer behind the other."""
        await ended.wait()
        await asyncio.sleep(0.05)
        return "late"

    monkeypatch.setitem(reacting.TOOLS, "soon", tool_from(soon))
    monkeypatch.setitem(reacting.TOOLS, "late", tool_from(late))
    both = Said(calls=[("late", "{}"), ("soon", "{}")], reason="tool_calls")
    tried = [Said(["{"], reason="length")] if form else []
    engine = ScriptedEngine([*tried, both, Said(["Clear."]), Said(["{}"])])
    request = asking(stream, tools=("late", "soon"), parameters=form)
    events = await events_of(React(), request, engine)
    assert [step.tool for step in steps(events)] == ["late", "soon"]
    if form:
        asked = [
            call["function"]["name"]
            for message in engine.bodies[-1]["messages"][1:]
            for call in message.get("tool_calls", ())
        ]
        assert asked == ["late", "soon"]


def called_for(*ids: str) -> AIMessage:
    return AIMessage("", id="turn", tool_calls=[{"name": one, "args": {}, "id": one} for one in ids])


def ended(one: str) -> ToolMessage:
    return ToolMessage(one, tool_call_id=one, artifact=Step(one, {}, one))


def tools(told: Told, *messages: AIMessage | ToolMessage) -> list[str]:
    return [event.tool for one in messages for event in told.events(one) if isinstance(event, Step)]


def test_a_step_waits_for_those_of_the_calls_before_it_and_no_longer() -> None:
    told = Told([], silent=False, counts=True)
    assert tools(told, called_for("a", "b", "c")) == []
    assert tools(told, ended("b")) == []
    assert tools(told, ended("a")) == ["a", "b"]
    assert tools(told, ended("c")) == ["c"]
    assert list(told.end()) == []
    assert [step.tool for step in told.steps] == ["a", "b", "c"]


def test_steps_that_wait_are_told_where_a_call_before_them_never_ends() -> None:
    for words in ("", "Sorry."):
        told = Told([], silent=False, counts=True)
        assert tools(told, called_for("a", "b", "c"), ended("c"), ended("b")) == []
        events = [*told.broken_off(words), *told.end()] if words else [*told.end()]
        said = [Content(words)] if words else []
        assert events == [Step("b", {}, "b"), Step("c", {}, "c"), *said]
        assert [step.tool for step in told.steps] == ["b", "c"]
