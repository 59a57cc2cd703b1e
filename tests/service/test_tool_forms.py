"""A form behind a server tool that failed is refused in words, on every path."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from chains import react
from chains.tools import tool_from
from tests.service.conftest import Start
from tests.service.test_chain_options import objects, told
from tests.service.test_tool_results import ACTION, ROUTE, track_parcel


class Told(BaseModel):
    """A form that has room for what a tool found."""

    city: str


async def test_no_form_is_filled_where_a_tool_failed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
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
