"""Server tools through the gateway: what they answer fits the model, and nothing is made up for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

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


class Told(BaseModel):
    """A form that has room for what a tool found."""

    city: str


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
        body = {"model": "auto", "messages": [{"role": "user", "content": "where is my parcel"}]}
        headers = {"x-pointsman-trace": "1"}
        response = await running.http.post(
            "/v1/chat/completions", json={**body, "stream": stream}, headers=headers
        )
        assert response.status_code == 200, response.text
        found = objects(response)
        assert told(found) == "It is here."
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
        response = await running.ask("where is my parcel", stream=stream)
        assert response.status_code == 200, response.text
        assert told(objects(response)) == "Sorry, I could not do this: track_parcel failed."


async def test_no_form_is_filled_for_it_on_any_path(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Sorry, I could not do this: track_parcel failed."
    failing = ACTION.replace("PX", "QX")
    question = "where is my parcel"
    async with start(routes=ROUTE) as running:
        monkeypatch.setattr(react, "tool_by_name", lambda _: tool_from(track_parcel))
        running.vllm.answer = lambda body: (
            '{"city": "Hamburg"}'
            if body.keys() & {"response_format", "structured_outputs"}
            else failing
            if len(body["messages"]) < 4
            else "Final Answer: It was delivered."
        )
        async with AsyncOpenAI(
            base_url=f"{running.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client:
            asked: Any = {"model": "auto", "messages": [{"role": "user", "content": question}]}
            message = (await client.chat.completions.parse(**asked, response_format=Told)).choices[0].message
            async with client.chat.completions.stream(**asked, response_format=Told) as events:
                streamed = (await events.get_final_completion()).choices[0].message
            for one in (message, streamed):
                assert (one.refusal, one.content, one.parsed) == (words, None, None)
            response = await client.responses.parse(model="auto", input=question, text_format=Told)
            async with client.responses.stream(model="auto", input=question, text_format=Told) as changes:
                async for _ in changes:
                    pass
                last = await changes.get_final_response()
            for answer in (response, last):
                (item,) = answer.output
                part = {"type": "refusal", "refusal": words}
                assert [each.model_dump() for each in item.content] == [part]  # type: ignore[union-attr]
                assert answer.output_parsed is None
        for form in ({"choice": ["here", "there"]}, {"regex": "[a-z]+"}, {"json_object": True}):
            for stream in (False, True):
                body = {**asked, "structured_outputs": form, "stream": stream}
                found = objects(await running.http.post("/v1/chat/completions", json=body))
                refusals = [
                    choice.get("delta", choice.get("message", {})).get("refusal")
                    for each in found
                    for choice in each.get("choices", [])
                ]
                assert (told(found), [text for text in refusals if text]) == ("", [words])
