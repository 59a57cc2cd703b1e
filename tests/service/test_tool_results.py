"""Server tools through the gateway: what they answer fits the model, and nothing is made up for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chains import react
from chains.tools import tool_from
from tests.service.conftest import Start
from tests.service.test_chain_options import objects, told, with_chain

ROUTE = with_chain("chain: react\n    options: {dialect: written}\n    tools: [track_parcel]")
LIMIT = 4_000  # characters, which stand for tokens here
ACTION = 'Action: track_parcel\nAction Input: {"parcel_id": "PX482913"}'
FULL = (
    f"This model's maximum context length is {LIMIT} tokens. However, your prompt contains at least "
    f"{LIMIT + 1} input tokens (parameter=input_tokens, value={LIMIT + 1})"
)


def track_parcel(parcel_id: str) -> str:
    """Tell everything of a parcel."""
    if parcel_id != "PX482913":
        raise RuntimeError
    return "x" * 7_000


def _against(body: dict[str, Any]) -> tuple[int, str] | None:
    return (400, FULL) if len(json.dumps(body["messages"])) > LIMIT else None


def _answer(body: dict[str, Any]) -> str:
    return "Final Answer: It is here." if "Observation: " in body["messages"][-1]["content"] else ACTION


@pytest.mark.parametrize("stream", [False, True])
async def test_a_result_that_the_engine_has_no_room_for_is_cut(
    start: Start, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async with start(routes=ROUTE) as running:
        monkeypatch.setattr(react, "tool_by_name", lambda _: tool_from(track_parcel))
        running.vllm.answer, running.vllm.against = _answer, _against
        body: dict[str, Any] = {
            "model": "auto",
            "messages": [{"role": "user", "content": "where is my parcel"}],
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = {"x-pointsman-trace": "1"}
        response = await running.http.post("/v1/chat/completions", json=body, headers=headers)
        assert response.status_code == 200, response.text
        found = objects(response)
        assert told(found) == "It is here."
        steps = [step for f in found for step in f.get("pointsman", {}).get("steps", [])]
        first, tool, full, *trials, last = [step.get("purpose") or step["tool"] for step in steps]
        assert (first, tool, full, last) == ("turn 1", "track_parcel", "turn 2", "turn 2")
        assert {*trials} == {"trial"}
        assert steps[2]["error"].startswith("This model's maximum context length")
        written = sum(step.get("completion_tokens") or 0 for step in steps)
        assert written == next(f["usage"] for f in reversed(found) if f.get("usage"))["completion_tokens"]
        (note,) = [note for f in found for note in f.get("pointsman", {}).get("notes", [])]
        assert note["note"] == "cut"
        read = running.vllm.requests[-1]["messages"][-1]["content"]
        assert read == f"Observation: {'x' * note['tool_characters']} ... (cut, 7000 characters in all)"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_that_fails_is_not_answered_for(
    start: Start, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async with start(routes=ROUTE) as running:
        monkeypatch.setattr(react, "tool_by_name", lambda _: tool_from(track_parcel))
        running.vllm.answer = lambda body: (
            ACTION.replace("PX", "QX") if len(body["messages"]) < 4 else "Final Answer: It was delivered."
        )
        body = {"model": "auto", "messages": [{"role": "user", "content": "where is my parcel"}]}
        headers = {"x-pointsman-trace": "1"}
        response = await running.http.post(
            "/v1/chat/completions", json={**body, "stream": stream}, headers=headers
        )
        assert response.status_code == 200, response.text
        found = objects(response)
        assert told(found) == "Sorry, I could not do this: track_parcel failed."
        steps = [step for f in found for step in f.get("pointsman", {}).get("steps", [])]
        purposes = [step.get("purpose") or step["tool"] for step in steps]
        assert purposes == ["turn 1", "track_parcel", "turn 2", "turn 3: second chance"]
