"""The openai client where it holds every answer to its own types: classes as answers and as tools."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel

from tests.e2e.demo import Demo

pytestmark = pytest.mark.e2e
ASKED: Any = [{"role": "user", "content": "My grandma knitted me a hat; what would you call it?"}]
PARCEL: Any = [{"role": "user", "content": "Where is my parcel PX482913?"}]


class Hat(BaseModel):
    """What no model of the demo was ever asked for."""

    name: str
    warm: bool


class TrackParcel(BaseModel):
    """Find where a parcel is."""

    parcel_id: str


def options(demo: Demo) -> dict[str, Any]:
    return {
        "base_url": f"{demo.url}/v1",
        "api_key": "none",
        "max_retries": 0,
        "_strict_response_validation": True,
    }


@pytest.mark.parametrize("model", ["auto", "support", "pointsman-demo"])
def test_a_class_is_answered_whole_and_in_events_by_any_model(demo: Demo, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "messages": ASKED, "response_format": Hat, "temperature": 0}
    with OpenAI(**options(demo)) as client:
        whole = client.chat.completions.parse(**asked).choices[0].message.parsed
        with client.chat.completions.stream(**asked) as stream:
            kinds = {event.type for event in stream}
            streamed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(whole, Hat)
    assert streamed == whole
    assert {"chunk", "content.delta", "content.done"} <= kinds


async def test_a_class_is_called_whole_and_in_events(demo: Demo) -> None:
    asked: dict[str, Any] = {"model": "auto", "messages": PARCEL, "temperature": 0}
    asked |= {"tools": [pydantic_function_tool(TrackParcel)], "tool_choice": "required"}
    async with AsyncOpenAI(**options(demo)) as client:
        whole = (await client.chat.completions.parse(**asked)).choices[0].message.tool_calls
        async with client.chat.completions.stream(**asked) as stream:
            kinds = {event.type async for event in stream}
            streamed = (await stream.get_final_completion()).choices[0].message.tool_calls
    for calls in (whole, streamed):
        assert calls is not None
        assert [call.function.parsed_arguments for call in calls] == [TrackParcel(parcel_id="PX482913")]
    assert "tool_calls.function.arguments.done" in kinds


async def test_the_other_paths_keep_to_the_clients_types(demo: Demo) -> None:
    async with AsyncOpenAI(**options(demo)) as client:
        parsed = await client.responses.parse(model="support", input="A hat?", text_format=Hat)
        assert isinstance(parsed.output_parsed, Hat)
        events = [
            event.type
            async for event in await client.responses.create(model="auto", input="Thank you!", stream=True)
        ]
        assert events[-1] == "response.completed"
        chunks = [
            chunk
            async for chunk in await client.chat.completions.create(
                model="auto", messages=PARCEL, stream=True, stream_options={"include_usage": True}
            )
        ]
        assert chunks[-1].usage is not None
        numbers = await client.embeddings.create(
            model="all-MiniLM-L6-v2", input="hi", encoding_format="float"
        )
        assert len(numbers.data[0].embedding) == 384
        assert (await client.models.retrieve("support")).id == "support"
