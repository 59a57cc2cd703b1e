"""A client that wants a form gets it from one more call, behind all that the tools found."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from chains.errors import AnswerInvalid, ParameterInvalid, Refused
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
from tests.chains.reacting import asking, called, calls

TRIED = Said(["{"], reason="length", tokens=(3, 1))  # the one token by which the engine's word is had
pytestmark = pytest.mark.usefixtures("weather_tools")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_binds_the_answer_and_not_the_calls_before_it(stream: bool) -> None:
    schema = {"type": "object", "required": ["sky"]}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "sky", "schema": schema}}}
    said = [calls("Bonn", say="Hm."), Said(["It is 晴."]), Said(['{"sky": ', '"晴"}'])]
    engine = ScriptedEngine([TRIED, *said])
    events = await events_of(React(), asking(stream, parameters={**form, "seed": 1}), engine)
    assert content(events) == '{"sky": "晴"}'
    assert [event.tool for event in events if isinstance(event, Step)] == ["weather"]
    assert finish(events) == Finish("stop", Usage(33, 16))  # the trial's too
    tried, first, second, last = engine.bodies
    assert form.items() <= tried.items()
    assert (tried["max_tokens"], "tools" in tried) == (1, False)
    assert not form.keys() & (first.keys() | second.keys())
    assert form.items() <= last.items()
    assert "tools" not in last
    asked_for, result = last["messages"][-2:]
    assert asked_for["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Bonn"}'}
    assert (result["role"], json.loads(result["content"])["sky"]) == ("tool", "晴")


class Refusing(ScriptedEngine):
    """Refuses a form of which ``part`` is a part."""

    part = ""

    def _next(self, body: Mapping[str, Any]) -> Said | bytes:
        said = super()._next(body)
        form = {name: body.get(name) for name in ("response_format", "structured_outputs")}
        if self.part in json.dumps(form):
            raise Refused(f"no {self.part}")
        return said


def _json_schema(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, **more}}
    }


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("form", "part"),
    [
        ({"structured_outputs": {"regex": "("}}, "regex"),
        ({"structured_outputs": {"choice": []}}, "choice"),
        ({"structured_outputs": {"json": {"type": "array", "uniqueItems": True}}}, "uniqueItems"),
        (_json_schema({"type": "integer", "minimum": 5, "maximum": 3}), "minimum"),
        (_json_schema({"type": "array", "uniqueItems": True}, strict=True), "uniqueItems"),
        (_json_schema({"type": "array", "uniqueItems": True, "maxItems": 77}), "77"),
    ],
)
async def test_a_form_that_the_engine_refuses_is_refused_before_any_tool_runs(
    form: dict[str, Any], part: str, stream: bool
) -> None:
    engine = Refusing([calls("Bonn")])
    engine.part = part
    called.clear()
    running = React().run(asking(stream, parameters=form), engine)
    with pytest.raises(Refused, match=part):
        await anext(running)
    assert called == []
    assert all("tools" not in body for body in engine.bodies)


async def test_a_loose_schema_of_which_the_rest_guides_is_taken_and_checked() -> None:
    form = _json_schema({"type": "array", "uniqueItems": True})
    engine = Refusing(
        [TRIED, TRIED, calls("Bonn"), Said(["Hm."]), Said(), Said(["[1, 1]"]), Said(["[1, 2]"])]
    )
    engine.part = "uniqueItems"
    events = await events_of(React(), asking(False, parameters=form), engine)
    assert content(events) == "[1, 2]"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_json_answer_that_does_not_fit_is_asked_for_once_more(stream: bool) -> None:
    schema = {"type": "object", "required": ["sky"]}
    form = {"structured_outputs": {"json": schema}}
    engine = ScriptedEngine([TRIED, calls("Bonn"), Said(["Sunny."]), Said(["{}"]), Said(['{"sky": 1}'])])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert content(events) == '{"sky": 1}'
    assert finish(events) == Finish("stop", Usage(43, 21))
    engine = ScriptedEngine([TRIED, Said(["Sunny."]), Said(["{}"])])
    with pytest.raises(AnswerInvalid, match="'sky' is a required property"):
        await events_of(React(), asking(stream, parameters=form), engine)
    with pytest.raises(ParameterInvalid, match="the schema can't be used"):
        await events_of(React(), asking(stream, parameters={"structured_outputs": {"json": 7}}), engine)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_that_is_no_json_is_the_engines_to_keep(stream: bool) -> None:
    form = {"structured_outputs": {"choice": ["yes", "no"]}}
    engine = ScriptedEngine([TRIED, Said(["Sunny."]), Said(["y", "es"], reason="length")])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert (content(events), finish(events)) == ("yes", Finish("length", Usage(23, 11)))
    assert form.items() <= engine.bodies[-1].items()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tag_in_a_form_is_part_of_it(stream: bool) -> None:
    for form, text, said, reasoned in (
        ({"response_format": {"type": "json_object"}}, '{"a": "<think>1"}', '{"a": "<think>1"}', ""),
        ({"structured_outputs": {"regex": ".*"}}, "a <think>1", "a <think>1", ""),
        ({"structured_outputs": {"regex": ".*"}}, "<think>1</think> a<think>", "a<think>", "1"),
    ):
        engine = ScriptedEngine([TRIED, Said(["Sunny."]), Said(list(text))])
        events = await events_of(React(), asking(stream, parameters=form), engine)
        assert (content(events), reasoning(events), finish(events).reason) == (said, reasoned, "stop")


async def test_a_form_is_kept_where_the_steps_run_out() -> None:
    engine = ScriptedEngine([TRIED, calls("Bonn"), calls("Bonn"), Said(["{}"])])
    request = asking(False, parameters={"structured_outputs": {"json": {}}}, limits=Limits(steps=3))
    events = await events_of(React(), request, engine)
    assert (content(events), finish(events).reason) == ("{}", "length")


@pytest.mark.parametrize(
    ("bound", "script"),
    [
        (1, [Said(["{}"])]),
        (2, [Said(["mild"]), Said(["{}"])]),
        (3, [calls("Bonn"), Said(["mild"]), Said(["{}"])]),
        (4, [calls("Bonn"), Said(["mild"]), Said(["no"]), Said(["{}"])]),
    ],
)
async def test_the_bound_on_steps_counts_the_calls_for_a_form(bound: int, script: list[Said]) -> None:
    form: dict[str, object] = {"structured_outputs": {"json": {}}}
    tried = [TRIED] if bound > 1 else []  # the one call of a bound of 1 is the form's: no tool runs
    engine = ScriptedEngine([*tried, *script])
    request = asking(True, parameters=form, limits=Limits(steps=bound))
    assert content(await events_of(React(), request, engine)) == "{}"
    assert len(engine.bodies) == bound + len(tried)

    engine = ScriptedEngine([*tried, *script[:-1], Said(["no"])])
    with pytest.raises(AnswerInvalid):
        await events_of(React(), request, engine)
    assert len(engine.bodies) == bound + len(tried)
