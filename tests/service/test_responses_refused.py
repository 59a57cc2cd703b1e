"""Requests for a response that can't be had, by the names of their fields, and what is taken beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import check_error

TRACK = "where is my parcel"
SUM = "what is 12 plus 30"
TOOL = {"type": "function", "name": "track", "parameters": {"type": "object"}, "strict": True}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"store": True}, "store"),
    ({"background": True}, "background"),
    ({"truncation": "auto"}, "truncation"),
    ({"include": ["message.output_text.logprobs"]}, "include"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"max_tool_calls": 3}, "max_tool_calls"),
    ({"priority": 1}, "priority"),
    ({"": 1}, "''"),
    ({"input": None}, "input"),
    ({"input": []}, "input"),
    ({"input": ["x"]}, "input[0]"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    ({"input": [{"type": "web_search_call", "id": "x"}]}, "input[0].type"),
    ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
    (
        {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}]},
        "input[0].arguments",
    ),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0]"),
    ({"instructions": ["x"]}, "instructions"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice.type"),
    ({"stream": True, "stream_options": {"include_obfuscation": "no"}}, "stream_options.include_obfuscation"),
    ({"safety_identifier": [1]}, "safety_identifier"),
    ({"text": "json"}, "text"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    *(
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}, **wrong}}},
            f"text.format.{at}",
        )
        for wrong, at in (({"strict": {}}, "strict"), ({"name": "a b"}, "name"))
    ),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"reasoning": {"summary": "detailed"}}, "reasoning.summary"),
    ({"stream": "yes"}, "stream"),
    ({"model": None}, "model"),
]


async def test_what_is_not_supported_is_refused_by_name(running: Running) -> None:
    for wrong, parameter in REFUSED:
        body = {"model": "support", "input": "hi", **wrong}
        error = check_error(await running.http.post("/v1/responses", json=body), 400)
        assert error["param"] == parameter, wrong
    assert running.vllm.requests == []


async def test_what_agents_send_by_default_is_taken_where_it_asks_for_nothing(running: Running) -> None:
    """Codex, pi-ai and Microsoft's framework send these: no thought is hidden here, and none read again."""
    asked: dict[str, Any] = {
        **{"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}},
        **{"store": False, "prompt_cache_key": "k", "client_metadata": {"turn_id": "t"}},
    }
    response = await running.http.post("/v1/responses", json={"model": "auto", "input": TRACK, **asked})
    assert response.status_code == 200, response.text
    sent = running.vllm.requests[-1]
    assert sent["reasoning_effort"] == "low"
    assert not sent.keys() & {"include", "reasoning", "store", "prompt_cache_key", "client_metadata"}


async def test_errors_name_the_fields_of_a_response(running: Running) -> None:
    schema = {"format": {"type": "json_schema", "name": "a", "schema": {"$ref": "#/$defs/no"}}}
    wrong_ones: list[tuple[dict[str, Any], str]] = [
        ({"tools": [{"type": "function", "name": "f g"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[0].strict"),
        ({"text": schema}, "text.format"),
        ({"input": [{"role": "user", "content": ""}]}, "input"),
    ]
    for wrong, place in wrong_ones:
        body = {"model": "support", "input": "hi", **wrong}
        error = check_error(await running.http.post("/v1/responses", json=body), 400)
        assert error["param"] == place
        assert place in error["message"]
        assert "function" not in error["message"]
    running.vllm.refuse = (400, "max_tokens=5000 is too large (parameter=max_tokens, value=5000)")
    for stream in (False, True):
        body = {"model": "support", "input": "hi", "max_output_tokens": 5000, "stream": stream}
        error = check_error(await running.http.post("/v1/responses", json=body), 400)
        assert error["param"] == "max_output_tokens"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_effort_that_nothing_reads_is_not_told_as_used(running: Running, stream: bool) -> None:
    asked = {"model": "support", "input": TRACK, "reasoning": {"effort": "medium", "summary": "auto"}}
    for reads, told in ((True, "medium"), (False, None)):
        running.gateway.reads_effort = reads
        text = (await running.http.post("/v1/responses", json={**asked, "stream": stream})).text
        last = text.strip().split("\n\n")[-1].split("data: ")[-1] if stream else text
        response = json.loads(last)["response"] if stream else json.loads(text)
        assert response["reasoning"] == {"effort": told, "summary": "auto"}


async def test_an_effort_that_nothing_reads_is_refused_in_a_response(running: Running) -> None:
    body = {"model": "support", "input": TRACK}
    efforts = ("high", "low", "none")
    for effort in efforts:
        taken = await running.http.post("/v1/responses", json={**body, "reasoning": {"effort": effort}})
        assert taken.status_code == 200
    running.gateway.reads_effort = False
    for effort in efforts:
        sent = {**body, "reasoning": {"effort": effort}}
        error = check_error(await running.http.post("/v1/responses", json=sent), 400)
        assert error["param"] == "reasoning.effort"
        assert f"reasoning.effort {effort!r} is not supported" in error["message"]
    for neutral in ({"effort": None, "summary": "auto"}, {"effort": "medium"}, {}, None):
        taken = await running.http.post("/v1/responses", json={**body, "reasoning": neutral})
        assert taken.status_code == 200


async def test_an_effort_that_nothing_reads_is_refused_in_a_chat(running: Running) -> None:
    assert (await running.ask(TRACK, reasoning_effort="low")).status_code == 200
    running.gateway.reads_effort = False
    for model in ("auto", "support"):
        error = check_error(await running.ask(TRACK, model=model, reasoning_effort="low"), 400)
        assert error["param"] == "reasoning_effort"
        assert "template does not read it" in error["message"]
        for neutral in ("medium", None):
            assert (await running.ask(TRACK, model=model, reasoning_effort=neutral)).status_code == 200
