"""The Responses API: the openai client unchanged, and what it can't have here refused by name."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI
from pydantic import BaseModel

from service.responses.answer import ResponseAnswer
from service.responses.request import chat_of
from tests.service.conftest import Running, Start
from tests.service.parts import ROUTES
from tests.service.refused import check_error

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


def chunks(*deltas: dict[str, Any], reason: str) -> list[dict[str, Any]]:
    return [
        *({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 6}},
    ]


def test_tokens_of_reasoning_that_nobody_counted_are_left_out() -> None:
    """OpenAI always has the field; 0 where there is no reasoning is no guess."""
    for delta, details, told in (
        ({"reasoning_content": "hm"}, {}, {}),
        ({"reasoning_content": "hm"}, {"reasoning_tokens": 5}, {"reasoning_tokens": 5}),
        ({"content": "hi"}, {}, {"reasoning_tokens": 0}),
        ({"content": "hi"}, {"reasoning_tokens": 5}, {"reasoning_tokens": 5}),  # it was not shown
    ):
        answer = ResponseAnswer({}, SAMPLING)
        for chunk in chunks(delta, reason="stop"):
            if "usage" in chunk:
                chunk["usage"]["completion_tokens_details"] = details or None
            list(answer.take(chunk))
        list(answer.end())
        assert answer.last["usage"]["output_tokens_details"] == told


def test_calls_are_items_of_their_own() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]}

    answer = ResponseAnswer({"tools": [TOOL]}, {**SAMPLING, "temperature": 0.5})
    pieces = [call(0, name="track", arguments='{"id":'), call(0, arguments='"A"}'), call(1, name="track")]
    events = list(answer.begin())
    for chunk in chunks({"content": "One moment."}, *pieces, reason="tool_calls"):
        events += answer.take(chunk)
    events += answer.end()
    message, first, second = answer.last["output"]
    assert message["content"][0]["text"] == "One moment."
    assert (first["call_id"], first["arguments"], first["status"]) == ("call_0", '{"id":"A"}', "completed")
    assert (second["call_id"], second["name"], second["arguments"]) == ("call_1", "track", "")
    deltas = [event["delta"] for event in events if event["type"].endswith("arguments.delta")]
    assert "".join(deltas) == '{"id":"A"}'
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert [item.get("arguments") for item in added] == [None, "", ""]
    assert (answer.last["usage"]["total_tokens"], answer.last["temperature"]) == (10, 0.5)


def test_an_answer_that_was_cut_is_incomplete() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    for chunk in chunks({"content": "One"}, reason="length"):
        list(answer.take(chunk))
    *_, last = answer.end()
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_one_that_was_cut_while_it_was_reasoned_has_no_message() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    for chunk in chunks({"reasoning_content": "Well"}, reason="length"):
        list(answer.take(chunk))
    list(answer.end())
    assert [item["type"] for item in answer.last["output"]] == ["reasoning"]


def test_an_answer_without_words_is_an_empty_message() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    list(answer.end())
    assert [item["content"][0]["text"] for item in answer.last["output"]] == [""]


def test_a_conversation_with_calls_as_a_chat() -> None:
    chat = chat_of(
        {
            "model": "auto",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": TRACK}]},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "One moment.", "annotations": []}],
                },
                *(
                    {"type": "function_call", "call_id": f"c{n}", "name": "track", "arguments": "{}"}
                    for n in (0, 1)
                ),
                {"type": "function_call_output", "call_id": "c0", "output": "in Lyon"},
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_text", "text": "lost"}],
                },
            ],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "name": "track"},
            "text": {"format": {"type": "json_object"}},
            "reasoning": {"effort": "low"},
            "stream": True,
            "metadata": {"a": "b"},
            "store": False,
        }
    )

    def text(words: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": words}]

    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "track", "arguments": "{}"}} for n in (0, 1)
    ]
    function = {name: TOOL[name] for name in ("name", "parameters", "strict")}
    assert chat == {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": text(TRACK)},
            {"role": "assistant", "content": text("One moment."), "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c0", "content": "in Lyon"},
            {"role": "tool", "tool_call_id": "c1", "content": text("lost")},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "track"}},
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    }


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
            ({"model": "math", "input": SUM}, 0.6, 0.95),  # the chain without the route's options
        ):
            response = await running.http.post("/v1/responses", json={"input": TRACK, **asked})
            assert response.status_code == 200, response.text
            told = response.json()
            assert (told["temperature"], told["top_p"]) == (temperature, top_p), asked
            sent = running.vllm.requests[-1]
            assert sent.get("temperature", 0.6) == temperature
            assert sent.get("top_p", 0.95) == top_p
