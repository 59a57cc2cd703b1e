import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from chains.errors import (
    AnswerInvalid,
    ChainOptionsError,
    ChainTimeout,
    ChainUnsupported,
    ParameterInvalid,
    Refused,
)
from chains.events import Content, Finish, Limits, Note, Raw, Reasoning, Usage
from chains.registry import chain_with
from chains.structured import Structured, StructuredOptions
from chains.testing import Said, ScriptedEngine, asked, content, events_of, finish, reasoning

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
LEEDS = '{"city": "Leeds"}'


def plain() -> Structured:
    return Structured(StructuredOptions())


def routed(folder: Path, **options: Any) -> Structured:
    (folder / "place.schema.json").write_text(json.dumps(SCHEMA))
    chain = chain_with("structured", options or {"schema": "place.schema.json"}, folder)
    assert isinstance(chain, Structured)
    return chain


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("stop", "text"), [("ee", '{"city": "L'), ("}", LEEDS[:-1]), ("{", "")])
async def test_a_stop_string_cuts_what_was_found_to_fit(stream: bool, stop: str, text: str) -> None:
    engine = ScriptedEngine([Said([LEEDS])])
    request = asked(stream, parameters={"response_format": FORMAT, "stop": [stop]})
    events = await events_of(plain(), request, engine)
    assert (content(events), finish(events)) == (text, Finish("stop", Usage(10, 5)))
    assert "stop" not in engine.bodies[0]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_engine_is_guided_by_the_requests_format(stream: bool) -> None:
    engine = ScriptedEngine([Said([LEEDS])])
    request = asked(stream, parameters={"response_format": FORMAT, "temperature": 0, "max_tokens": 9})
    assert await events_of(plain(), request, engine) == [Content(LEEDS), Finish("stop", Usage(10, 5))]
    assert engine.bodies == [
        {
            "messages": [{"role": "user", "content": "hello"}],
            "temperature": 0,
            "max_tokens": 9,
            "response_format": FORMAT,
            "stream": False,
        }
    ]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, SCHEMA),
        ({"response_format": {"type": "text"}}, SCHEMA),
        ({"response_format": {"type": "json_object"}}, SCHEMA),
        ({"response_format": FORMAT | {"json_schema": {"schema": {"type": "object"}}}}, {"type": "object"}),
        ({"structured_outputs": {"json": '{"minProperties": 1}'}}, {"minProperties": 1}),
    ],
)
async def test_the_routes_schema_holds_where_the_request_names_none(
    tmp_path: Path, parameters: dict[str, Any], wanted: object
) -> None:
    engine = ScriptedEngine([Said([LEEDS])])
    await events_of(routed(tmp_path), asked(False, parameters=parameters), engine)
    assert engine.bodies[0]["response_format"]["json_schema"]["schema"] == wanted
    assert "structured_outputs" not in engine.bodies[0]


class Place(BaseModel):
    city: Literal["Leeds", "York"]


async def test_a_pydantic_model_can_be_named(tmp_path: Path) -> None:
    engine = ScriptedEngine([Said(['{"city": "Rome"}']), Said([LEEDS])])
    chain = routed(tmp_path, model=f"{__name__}:Place")
    events = await events_of(chain, asked(False), engine)
    assert content(events) == LEEDS
    sent = engine.bodies[0]["response_format"]["json_schema"]
    assert sent == {"name": "Place", "schema": Place.model_json_schema()}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"schema": "gone.json"}, r"schema: no such file in .*found 'gone\.json'"),
        ({"schema": "broken.json"}, r"broken\.json: Expecting"),
        ({"schema": "odd.json"}, r"odd\.json: no JSON schema: \$\.type"),
        ({"model": "chains.events"}, "is no pydantic model"),
        ({"model": "chains.nowhere:Usage"}, "can't be imported"),
        ({"model": "chains.events:Usage"}, "is no pydantic model"),
        ({"schema": "place.schema.json", "model": "chains.events:Usage"}, "either schema or model"),
        ({"shema": "place.schema.json"}, "shema: no such option; known: model, schema"),
    ],
)
def test_options_that_cannot_be_used_say_why(tmp_path: Path, options: dict[str, str], problem: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "odd.json").write_text('{"type": "objekt"}')
    with pytest.raises(ChainOptionsError, match=problem):
        routed(tmp_path, **options)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "response_format: is required, as the chain 'structured' has no schema of its own here"),
        ({"response_format": {"type": "xml"}}, "'response_format': give a"),
        ({"response_format": "json"}, "response_format: must be an object"),
        ({"response_format": {"type": "json_schema"}}, "'response_format': give a"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "must be an object"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/x"}}}},
            "nothing in",
        ),
        ({"structured_outputs": {"regex": "a+"}}, "'structured_outputs': only json"),
        ({"response_format": FORMAT, "logprobs": True}, "'logprobs'"),
        ({"response_format": FORMAT, "n": 2, "best_of": 2}, "'best_of' = 2"),
    ],
)
async def test_what_cannot_be_held_to_is_refused_before_any_call(
    parameters: dict[str, Any], problem: str
) -> None:
    engine = ScriptedEngine([Said([LEEDS])])
    with pytest.raises((ChainUnsupported, ParameterInvalid), match=problem):
        await events_of(plain(), asked(False, parameters=parameters), engine)
    assert engine.bodies == []


@pytest.mark.parametrize("stream", [True, False])
async def test_the_clients_own_tools_are_its_to_call(tmp_path: Path, stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    engine = ScriptedEngine([Said([], [("look", "{}")], reason="tool_calls")])
    events = await events_of(routed(tmp_path), asked(stream, parameters={"tools": tools}), engine)
    assert b'"name":"look"' in b"".join(event.data for event in events if isinstance(event, Raw))
    assert engine.bodies[0]["tools"] == tools
    assert "response_format" not in engine.bodies[0]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(stream: bool) -> None:
    engine = ScriptedEngine([Said(['{"city": 7}']), Said([LEEDS], tokens=(20, 6))])
    events = await events_of(plain(), asked(stream, parameters={"response_format": FORMAT}), engine)
    problem = "$.city: 7 is not of type 'string'"
    assert events == [
        Note("repair", {"problem": problem, "answer": '{"city": 7}'}),
        Content(LEEDS),
        Finish("stop", Usage(30, 11)),
    ]
    assert engine.bodies[1]["messages"][1:] == [
        {"role": "assistant", "content": '{"city": 7}'},
        {
            "role": "user",
            "content": f"This does not fit: {problem}. Reply again with the JSON only, all of it.",
        },
    ]
    assert engine.bodies[1]["response_format"] == FORMAT


@pytest.mark.parametrize(("steps", "times"), [(1, "once"), (2, "2 times"), (6, "2 times")])
async def test_nothing_of_an_answer_that_never_fits_is_given_out(steps: int, times: str) -> None:
    engine = ScriptedEngine([Said(["no"])])
    request = asked(True, parameters={"response_format": FORMAT}, limits=Limits(steps=steps))
    with pytest.raises(
        AnswerInvalid, match=f"asked {times} and its answer does not fit the schema: not JSON"
    ):
        await anext(plain().run(request, engine))
    assert len(engine.bodies) == min(steps, 2)


@pytest.mark.parametrize("stream", [True, False])
async def test_each_of_several_choices_is_held_to_the_schema(stream: bool) -> None:
    engine = ScriptedEngine(
        [Said([LEEDS]), Said(["{}"]), Said(['{"city": "Yo'], reason="length"), Said([LEEDS])]
    )
    request = asked(stream, parameters={"response_format": FORMAT, "n": 3, "seed": 7})
    events = await events_of(plain(), request, engine)
    assert [(e.choice, e.text) for e in events if isinstance(e, Content)] == [
        (0, LEEDS),
        (1, LEEDS),
        (2, '{"city": "Yo'),
    ]
    assert finish(events) == Finish("stop", Usage(20, 20), ("stop", "length"))  # 3 choices, one of them twice
    assert [body["seed"] for body in engine.bodies] == [7, 8, 9, 8]
    assert not any("n" in body for body in engine.bodies)


async def test_one_choice_that_never_fits_refuses_them_all_and_stops_the_others() -> None:
    engine = ScriptedEngine([Said(["no"])])
    request = asked(False, parameters={"response_format": FORMAT, "n": 3})
    with pytest.raises(AnswerInvalid, match="not JSON"):
        await events_of(plain(), request, engine)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_engine_that_refuses_to_guide_is_asked_in_words() -> None:
    said = Said(["<think>\nhm\n</think>\n\nHere:\n```json\n", LEEDS, "\n```"])
    engine = ScriptedEngine([Refused("no response_format here"), said])
    events = await events_of(plain(), asked(False, parameters={"response_format": FORMAT}), engine)
    assert events == [
        Note("unguided", {"reason": "no response_format here"}),
        Reasoning("hm"),
        Content(LEEDS),
        Finish("stop", Usage(10, 5)),
    ]
    system, user = engine.bodies[1]["messages"]
    assert json.dumps(SCHEMA) in system["content"]
    assert user == {"role": "user", "content": "hello"}
    assert "response_format" not in engine.bodies[1]


async def test_a_request_that_is_refused_in_either_way_is_the_engines_to_refuse() -> None:
    engine = ScriptedEngine([Refused("no format"), Refused("the prompt is too long")])
    with pytest.raises(Refused, match="too long"):
        await events_of(plain(), asked(False, parameters={"response_format": FORMAT}), engine)


async def test_a_schema_that_was_refused_is_told_where_no_answer_in_words_fits() -> None:
    engine = ScriptedEngine([Refused("no answer can fit it"), *[Said(["not JSON"])] * 2])
    with pytest.raises(Refused, match="no answer can fit it") as found:
        await events_of(plain(), asked(False, parameters={"response_format": FORMAT}), engine)
    assert found.value.instead.startswith("; the model was asked 2 times and its answer does not fit")


async def test_a_routes_own_schema_that_was_refused_is_no_fault_of_the_client(tmp_path: Path) -> None:
    engine = ScriptedEngine([Refused("no answer can fit it"), *[Said(["not JSON"])] * 2])
    with pytest.raises(AnswerInvalid, match="not JSON"):
        await events_of(routed(tmp_path), asked(False), engine)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tag_in_a_string_is_part_of_it(stream: bool) -> None:
    form = {"response_format": {"type": "json_object"}}
    engine = ScriptedEngine([Said(['{"answer": "<think>1', '"}'])])
    events = await events_of(Structured(StructuredOptions()), asked(stream, parameters=form), engine)
    assert (content(events), reasoning(events)) == ('{"answer": "<think>1"}', "")
    assert (finish(events).reason, len(engine.bodies)) == ("stop", 1)


async def test_an_answer_that_ran_out_of_tokens_comes_as_far_as_it_was_made() -> None:
    engine = ScriptedEngine([Said(['{"city": "Le'], reason="length")])
    events = await events_of(plain(), asked(True, parameters={"response_format": FORMAT}), engine)
    assert (content(events), finish(events).reason) == ('{"city": "Le', "length")


@pytest.mark.parametrize("leave", ["time", "cancel"])
async def test_a_run_that_ends_early_ends_the_engines_work(leave: str) -> None:
    engine = ScriptedEngine([Said([LEEDS])], stall=0)
    seconds = 0.05 if leave == "time" else 60
    request = asked(True, parameters={"response_format": FORMAT}, limits=Limits(seconds=seconds))
    task = asyncio.create_task(events_of(plain(), request, engine))
    await engine.stalled.wait()
    if leave == "cancel":
        task.cancel()
    with pytest.raises(ChainTimeout if leave == "time" else asyncio.CancelledError):
        await task
    assert (engine.running, engine.cancelled) == (0, 1)
