"""The Responses API: the openai client unchanged, and what it can't have here refused by name."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI
from pydantic import BaseModel

from tests.service.conftest import Running, Start
from tests.service.parts import ROUTES

TRACK = "where is my parcel"
SUM = "what is 12 plus 30"
THOUGHT = "<think>\n12 + 30 = 42\n</think>\n\nThe answer is 42."
SAMPLING = {"temperature": 1.0, "top_p": 1.0}
TOOL = {"type": "function", "name": "track", "parameters": {"type": "object"}, "strict": True}


@pytest.fixture
async def client(running: Running) -> AsyncGenerator[AsyncOpenAI, None]:
    """The client, which refuses what is not of its models' form."""
    async with AsyncOpenAI(
        base_url=f"{running.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as found:
        yield found


def told(response: Any) -> dict[str, Any]:
    """What must be equal streamed and whole: all but ids and times."""
    found: dict[str, Any] = response.model_dump(
        exclude={"id", "created_at", "completed_at", "output_parsed", "parsed"}
    )
    for item in found["output"]:
        item.pop("id")
        for part in item["content"]:
            part.pop("parsed", None)  # the client's own
    return found


@pytest.mark.parametrize(("text", "answer"), [(TRACK, "On its way."), (SUM, THOUGHT)])
async def test_streamed_and_whole_are_equal(
    running: Running, client: AsyncOpenAI, text: str, answer: str
) -> None:
    running.vllm.answer = lambda _: answer
    asked: Any = {"model": "auto", "input": text, "instructions": "Be brief.", "max_output_tokens": 90}
    raw = await client.responses.with_raw_response.create(**asked)
    whole = raw.parse()
    assert raw.headers["x-pointsman-intent"] == ("track_parcel" if text == TRACK else "arithmetic")
    sent = running.vllm.requests[-1]
    assert sent["max_completion_tokens"] == 90
    assert sent["messages"][0]["content"].endswith("of Northway\n\nBe brief.")
    assert whole.output_text == ("On its way." if text == TRACK else "The answer is 42.")
    kinds = [item.type for item in whole.output]
    assert kinds == (["message"] if text == TRACK else ["reasoning", "message"])
    assert (whole.status, whole.store, whole.model) == ("completed", False, sent["model"])
    assert whole.usage is not None
    assert whole.usage.total_tokens == 3 + len(answer.split(" "))
    assert whole.usage.output_tokens_details.reasoning_tokens == (0 if text == TRACK else 3)
    numbers, words = [], ""
    async with client.responses.stream(**asked) as stream:
        async for event in stream:
            numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                words += event.delta
        final = await stream.get_final_response()
    assert words == whole.output_text
    assert numbers == list(range(len(numbers)))
    assert told(final) == told(whole)


async def test_events_come_in_openais_order(running: Running, client: AsyncOpenAI) -> None:
    running.vllm.answer = lambda _: THOUGHT
    stream = await client.responses.create(model="auto", input=SUM, stream=True)
    kinds = [event.type async for event in stream]
    shown = [kind for at, kind in enumerate(kinds) if not at or kinds[at - 1] != kind]
    part = ["output_item.added", "content_part.added", "{}.delta", "{}.done", "content_part.done"]
    items = [
        name.format(text)
        for text in ("reasoning_text", "output_text")
        for name in (*part, "output_item.done")
    ]
    assert shown == [f"response.{name}" for name in ("created", "in_progress", *items, "completed")]


async def test_a_parsed_answer(running: Running, client: AsyncOpenAI) -> None:
    class Parcel(BaseModel):
        id: str

    running.vllm.answer = lambda _: '{"id": "PX1"}'
    answer = await client.responses.parse(model="chat", input=TRACK, text_format=Parcel)
    assert answer.output_parsed == Parcel(id="PX1")
    form = running.vllm.requests[-1]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "Parcel"
    assert form["json_schema"]["schema"]["required"] == ["id"]


async def test_no_tools_are_as_if_they_were_not_there(running: Running) -> None:
    of_chat = {"messages": [{"role": "user", "content": "hi"}]}
    for path, asked in (("/v1/responses", {"input": "hi"}), ("/v1/chat/completions", of_chat)):
        for model in ("auto", "support"):
            for choice in ("auto", "none"):
                body = {"model": model, **asked, "tools": [], "tool_choice": choice}
                assert (await running.http.post(path, json=body)).status_code == 200
                assert not running.vllm.requests[-1].keys() & {"tools", "tool_choice"}


async def test_all_that_openai_always_sends_is_there(client: AsyncOpenAI) -> None:
    asked: Any = {"input": SUM, "safety_identifier": "u", "prompt_cache_key": "k"}
    whole = (await client.responses.create(model="chat", **asked)).model_dump()
    assert (whole["temperature"], whole["top_p"]) == (1.0, 1.0)
    assert (whole["presence_penalty"], whole["frequency_penalty"], whole["top_logprobs"]) == (0, 0, 0)
    assert (whole["safety_identifier"], whole["prompt_cache_key"]) == ("u", "k")
    assert whole["completed_at"] >= whole["created_at"]
    assert (whole["service_tier"], whole["max_tool_calls"]) == ("default", None)


async def test_a_stream_that_breaks_ends_with_an_error_of_its_form(running: Running) -> None:
    running.vllm.answer = lambda _: "one two three"
    running.vllm.break_after = 2
    body = {"model": "chat", "input": "hi", "stream": True}
    text = (await running.http.post("/v1/responses", json=body)).text
    *_, last = text.strip().split("\n\n")
    kind, data = last.split("\n")
    told = json.loads(data.removeprefix("data: "))
    assert kind == "event: error"
    assert (told["type"], told["sequence_number"]) == ("error", text.count("event: ") - 1)
    assert told["code"]
    assert told["message"]


async def test_an_engine_that_fails_is_an_error(running: Running, client: AsyncOpenAI) -> None:
    running.vllm.break_after = 3
    with pytest.raises(APIError, match="engine"):
        async for _ in await client.responses.create(model="support", input="one two three", stream=True):
            pass
    running.vllm.error_event, running.vllm.break_after = (400, "too long"), None
    body = {"model": "support", "input": "hi", "stream": True}
    refused = await running.http.post("/v1/responses", json=body)
    assert json.loads(refused.content)["error"]["message"] == "too long"
    assert refused.status_code == 400


async def test_it_says_how_it_was_sampled(start: Start, tmp_path: Path) -> None:
    """The request's, the route's or its chain's, else the base's own."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "generation_config.json").write_text('{"temperature": 0.6, "top_p": 0.95}')
    voting = ROUTES.replace("chain: cot", "chain: cot\n    options: {samples: 3, temperature: 0.4}")
    async with start(routes=voting) as running:
        for asked, temperature, top_p in (
            ({"model": "chat"}, 0.6, 0.95),
            ({"model": "chat", "temperature": 0.3, "top_p": None}, 0.3, 0.95),
            ({"model": "chat", "temperature": 0, "top_p": 0.5}, 0, 0.5),
            ({"model": "auto"}, 0, 0.95),  # the route's
            ({"model": "auto", "temperature": 0.2}, 0.2, 0.95),
            ({"model": "auto", "input": SUM}, 0.4, 0.95),  # samples of a vote must differ
            ({"model": "auto", "input": SUM, "temperature": 0.9}, 0.9, 0.95),
            ({"model": "auto", "input": SUM, "temperature": 0}, 0, 0.95),  # equal samples need no vote
            ({"model": "math", "input": SUM}, 0.6, 0.95),  # the chain without the route's options
        ):
            response = await running.http.post("/v1/responses", json={"input": TRACK, **asked})
            assert response.status_code == 200, response.text
            told = response.json()
            assert (told["temperature"], told["top_p"]) == (temperature, top_p), asked
            sent = running.vllm.requests[-1]
            assert sent.get("temperature", 0.6) == temperature
            assert sent.get("top_p", 0.95) == top_p
