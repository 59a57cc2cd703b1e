"""Bodies at the edge of what is served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import CALL, USER

FINE: list[list[dict[str, Any]]] = [
    [
        {
            "role": "user",
            "content": [{"type": "text", "text": "where is"}, {"type": "text", "text": "my parcel"}],
        }
    ],
    [USER, {"role": "assistant", "content": "It is here."}, {"role": "user", "content": ""}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": []}],
    [{"role": "system", "content": "Be brief."}],
    [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, USER],
    [
        USER,
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "It is"}, {"type": "text", "text": "here."}],
        },
        {"role": "developer", "content": "Be polite."},
        {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
    ],
    [
        USER,
        CALL,
        {"role": "tool", "tool_call_id": "call_0", "content": "{}"},
        {"role": "tool", "tool_call_id": "call_0", "content": ""},
    ],
    [{"role": "user", "content": "\x00\u202e" + "很长" * 20_000}],
]


async def test_odd_conversations_are_served(running: Running) -> None:
    running.vllm.answer = lambda _: "fine"
    for messages in FINE:
        for model in ("auto", "support", "pointsman-demo"):
            body = {"model": model, "messages": messages}
            response = await running.http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        explained = await running.http.post("/v1/route", json={"messages": messages})
        assert explained.status_code == 200, explained.text


@pytest.mark.parametrize("beside", [[], [{"role": "user", "content": ""}]], ids=["alone", "empty user"])
async def test_a_system_message_alone_is_what_is_asked(
    running: Running, beside: list[dict[str, Any]]
) -> None:
    given = [{"role": "developer", "content": "Be brief."}, {"role": "system", "content": USER["content"]}]
    body = {"model": "auto", "messages": [*given, *beside]}
    response = await running.http.post("/v1/chat/completions", json=body)
    assert response.headers["x-pointsman-intent"] == "track_parcel"
    (rendered,) = [request["messages"] for request in running.vllm.requests]
    assert [message["role"] for message in rendered] == ["system", "user"]
    assert "Be brief." in rendered[0]["content"]
    assert rendered[1] == USER
    explained = await running.http.post("/v1/route", json={"messages": body["messages"]})
    assert explained.json()["route"]["intent"] == "track_parcel"


@pytest.mark.parametrize("name", ["files.read", "mcp:files/read", "天气", "a" * 128, "get_weather-2"])
async def test_the_names_of_tools_that_agents_send_come_to_the_engine_as_they_are(
    running: Running, name: str
) -> None:
    tool = {"name": name, "parameters": {"type": "object", "properties": {}}}
    named: dict[str, Any] = {"type": "function", "function": {"name": name}}
    call = {"id": "call_0", "type": "function", "function": {"name": name, "arguments": "{}"}}
    made = [USER, {"role": "assistant", "tool_calls": [call]}]
    body = {
        "messages": [*made, {"role": "tool", "tool_call_id": "call_0", "content": "{}"}],
        "tools": [{"type": "function", "function": tool}],
        "tool_choice": named,
    }
    for model in ("auto", "support", "pointsman-demo"):
        response = await running.http.post("/v1/chat/completions", json={"model": model, **body})
        assert response.status_code == 200, response.text
        sent = running.vllm.requests[-1]
        assert [one["function"]["name"] for one in sent["tools"]] == [name]
        assert sent["tool_choice"] == named
    asked = {"model": "auto", "input": "hi", "tools": [{"type": "function", **tool}]}
    response = await running.http.post("/v1/responses", json=asked)
    assert response.status_code == 200, response.text
    assert response.json()["tools"][0]["name"] == name
