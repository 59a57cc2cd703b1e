"""Forms and tools of which the engine holds a part only: without ``strict`` that part guides."""

from __future__ import annotations

import json
from typing import Any

import llguidance
import pytest

from service.best_effort import loosened
from tests.service.conftest import Running
from tests.service.refused import check_error
from tests.service.test_chat import BASE

TEXT = {"type": "string"}
PATH = {"type": "string", "format": "path"}  # pydantic's Path
SET = {"type": "array", "items": PATH, "uniqueItems": True}  # and a set of them
TAGS = {"type": "object", "properties": {"tags": SET}, "required": ["tags"]}
LEFT = {**TAGS, "properties": {"tags": {"type": "array", "items": TEXT}}}
FOOTBALL = "who won the football match last night"


def form(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, **more}}


def tool(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", "parameters": schema} | more}


def against(body: dict[str, Any]) -> tuple[int, str] | None:
    """What vLLM says of a form that llguidance does not take, and of a tool with such a part."""
    wanted = body.get("response_format") or form(body.get("structured_outputs", {}).get("json", {}))
    grammar = llguidance.LLMatcher.grammar_from_json_schema(wanted["json_schema"]["schema"])
    if wrong := llguidance.LLMatcher.validate_grammar(grammar, None):
        return 400, f"Grammar error: {wrong}"
    tools = body.get("tools") or ()
    whole = any("uniqueItems" in json.dumps(each) or "[]" in json.dumps(each) for each in tools)
    return (400, "Invalid grammar specification: 'triggers'") if whole else None


@pytest.mark.parametrize("chain", ["direct", "cot"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_without_strict_is_held_as_far_as_it_can_be(
    running: Running, chain: str, stream: bool
) -> None:
    running.vllm.against = against
    body = {"model": BASE, "messages": [{"role": "user", "content": FOOTBALL}], "stream": stream}
    headers = {"x-pointsman-chain": chain}
    for strict in ({}, {"strict": False}):
        asked = {**body, "response_format": form(TAGS, **strict)}
        response = await running.http.post("/v1/chat/completions", json=asked, headers=headers)
        assert response.status_code == 200, response.text
        sent = [request["response_format"]["json_schema"] for request in running.vllm.requests[-2:]]
        assert sent == [{"name": "a", "schema": schema, **strict} for schema in (TAGS, LEFT)]
    for fields in ({"response_format": form(TAGS, strict=True)}, {"structured_outputs": {"json": TAGS}}):
        asked = {**body, **fields}
        response = await running.http.post("/v1/chat/completions", json=asked, headers=headers)
        message = check_error(response, 400)["message"]
        assert "at #/properties/tags" in message
        assert "is held by no guide" in message


@pytest.mark.parametrize("stream", [True, False])
async def test_who_asks_the_chain_that_checks_is_not_sent_to_it(running: Running, stream: bool) -> None:
    """What became of its tries is told."""
    running.vllm.against, running.vllm.answer = against, lambda _: '{"data": "?"}'
    data = {"type": "object", "properties": {"data": {"type": "string", "format": "base64"}}}
    asked = {"messages": [{"role": "user", "content": FOOTBALL}], "stream": stream, "model": BASE}
    asked["response_format"] = form(data, strict=True)
    told = {}
    for chain, more in (
        ("direct", {}),
        ("cot", {}),
        ("structured", {}),
        ("structured", {"tools": [tool({"type": "object"})]}),
    ):
        headers = {"x-pointsman-chain": chain}
        response = await running.http.post("/v1/chat/completions", json={**asked, **more}, headers=headers)
        told[chain, *more] = check_error(response, 400)["message"]
        assert "format at #/properties/data is held by no guide" in told[chain, *more]
    advised = [key for key, message in told.items() if "x-pointsman-chain: structured" in message]
    assert advised == [("direct",), ("cot",)]
    assert told["structured",].endswith(
        ". The rest of the schema guided the answer, and all of it was checked: the model was asked 2 times "
        "and its answer does not fit the schema: $.data: '?' does not fit the format 'base64'"
    )
    running.vllm.answer = lambda _: '{"data": "aGk="}'
    response = await running.http.post("/v1/chat/completions", json=asked, headers=headers)
    assert response.status_code == 200, response.text


async def test_a_step_of_too_many_digits_is_left_out_or_named(running: Running) -> None:
    running.vllm.against = against
    step = {"type": "object", "properties": {"x": {"type": "number", "multipleOf": 0.3333}}}
    body = {"model": BASE, "messages": [{"role": "user", "content": FOOTBALL}]}
    for strict, status in ((False, 200), (True, 400)):
        asked = {**body, "response_format": form(step, strict=strict)}
        response = await running.http.post("/v1/chat/completions", json=asked)
        assert response.status_code == status, response.text
    assert "multipleOf at #/properties/x is held by no guide" in check_error(response, 400)["message"]
    first, second, _ = (asked["response_format"]["json_schema"] for asked in running.vllm.requests)
    assert first["schema"] == step
    assert second["schema"] == {**step, "properties": {"x": {"type": "number"}}}


NO_SCHEMA = {"type": "object", "properties": {"x": {"type": "number", "multipleOf": -1}}}


@pytest.mark.parametrize("chain", ["direct", "cot", "structured", "react"])
async def test_what_is_no_schema_is_refused_on_every_path_before_the_engine_sees_it(
    running: Running, chain: str
) -> None:
    chat, response = {"messages": [{"role": "user", "content": FOOTBALL}]}, {"input": FOOTBALL}
    flat = tool(NO_SCHEMA)["function"]
    for strict in ({}, {"strict": True}):
        text = {"format": {"type": "json_schema", "name": "a", "schema": NO_SCHEMA, **strict}}
        for path, body, place in (
            ("chat/completions", {**chat, "response_format": form(NO_SCHEMA, **strict)}, "response_format"),
            ("chat/completions", {**chat, "structured_outputs": {"json": NO_SCHEMA}}, "structured_outputs"),
            ("chat/completions", {**chat, "tools": [tool(NO_SCHEMA, **strict)]}, "tools[0].function.param"),
            ("responses", {**response, "text": text}, "text.format"),
            ("responses", {**response, "tools": [{"type": "function", **flat, **strict}]}, "tools[0].param"),
            ("completions", {"prompt": FOOTBALL, "response_format": form(NO_SCHEMA)}, "response_format"),
        ):
            for stream in (True, False):
                asked = {"model": BASE, "stream": stream, **body}
                headers = {} if path == "completions" else {"x-pointsman-chain": chain}
                error = check_error(await running.http.post(f"/v1/{path}", json=asked, headers=headers), 400)
                assert error["param"].startswith(place)
                assert "no JSON schema: $.properties.x.multipleOf: -1 is less than or" in error["message"]
    assert running.vllm.requests == []


async def test_a_response_and_a_completion_hold_it_likewise(running: Running) -> None:
    running.vllm.against = against
    for strict, status in ((False, 200), (True, 400)):
        text = {"format": {"type": "json_schema", "name": "a", "schema": TAGS, "strict": strict}}
        body = {"model": BASE, "input": FOOTBALL, "text": text}
        assert (await running.http.post("/v1/responses", json=body)).status_code == status
        body = {"model": BASE, "prompt": FOOTBALL, "response_format": form(TAGS, strict=strict)}
        for stream in (True, False):
            response = await running.http.post("/v1/completions", json={**body, "stream": stream})
            assert response.status_code == status


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_without_strict_are_held_as_far_as_they_can_be(running: Running, stream: bool) -> None:
    running.vllm.against = against
    response = await running.ask(FOOTBALL, model=BASE, tools=[tool(TAGS)], stream=stream)
    assert response.status_code == 200, response.text
    sent = [request["tools"][0]["function"]["parameters"] for request in running.vllm.requests]
    assert sent == [TAGS, LEFT]


async def test_where_nothing_is_left_the_tool_the_keyword_and_the_place_are_told(running: Running) -> None:
    running.vllm.against = against
    empty = {"type": "object", "properties": {"a": {"enum": []}, "tags": SET}}
    tools = [tool({"type": "object"}), tool(empty, name="see")]
    error = check_error(await running.ask(FOOTBALL, model=BASE, tools=tools), 400)
    assert error["param"] == "tools[1].function.parameters"
    assert "enum at #/properties/a lets no value pass" in error["message"]


async def test_a_refusal_of_something_else_is_not_asked_again(running: Running) -> None:
    running.vllm.refuse = (400, "temperature must be at most 2 (parameter=temperature, value=3)")
    response = await running.ask(FOOTBALL, model=BASE, response_format=form(TAGS))
    assert check_error(response, 400)["param"] == "temperature"
    assert len(running.vllm.requests) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"minimum": "x", "format": [], "$ref": {}, "pattern": 4, "items": 3},
        {"properties": {"a": {"maximum": None, "format": {}}}, "anyOf": 5},
        TEXT,
        "no schema",
    ],
)
def test_what_is_no_schema_is_looked_at_without_an_error(schema: Any) -> None:
    loosened({"response_format": form(schema), "tools": [tool(schema)]})
    loosened({"response_format": {"type": "json_object"}})
