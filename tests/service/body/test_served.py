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
