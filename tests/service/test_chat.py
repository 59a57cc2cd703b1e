"""The way of a chat request: what is decided, what the engine gets, what the client gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.conftest import Running, Start
from tests.service.parts import ROUTES

BASE = "pointsman-demo"
TRACK = "where is my parcel"


def events(text: str) -> list[Any]:
    """The data of every server-sent event; ``[DONE]`` stays text."""
    found = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [data if data == "[DONE]" else json.loads(data) for data in found]


async def test_routed_request_gets_prompt_adapter_sampling_and_headers(running: Running) -> None:
    response = await running.ask(TRACK, max_tokens=7)
    assert response.status_code == 200
    assert response.headers["x-pointsman-intent"] == "track_parcel"
    assert 0 < float(response.headers["x-pointsman-confidence"]) <= 1
    assert response.headers["x-pointsman-chain"] == "direct"
    assert response.headers["x-pointsman-adapter"] == "support@000000000000"
    assert response.headers["x-request-id"]
    sent = running.vllm.requests[-1]
    assert sent["model"] == "support@000000000000"
    assert sent["messages"][0] == {"role": "system", "content": "support of Northway"}
    assert sent["temperature"] == 0  # the route's
    assert sent["max_tokens"] == 7  # the client's
    assert response.content == running.vllm.sent[-1]


async def test_abstention_takes_the_fallback(running: Running) -> None:
    response = await running.ask("who won the football match last night")
    assert response.headers["x-pointsman-intent"] == "fallback"
    assert running.vllm.requests[-1]["messages"][0]["content"] == "refusal of Northway"


async def test_named_models_go_straight_on(running: Running) -> None:
    for model, served in (
        ("support", "support@000000000000"),
        ("support@000000000000", "support@000000000000"),
        (BASE, BASE),
    ):
        response = await running.ask(TRACK, model=model, seed=5)
        assert response.status_code == 200
        assert response.headers["x-pointsman-adapter"] == served
        assert response.headers["x-pointsman-intent"] == "-"
        sent = running.vllm.requests[-1]
        expected = {"messages": [{"role": "user", "content": TRACK}], "stream": False, "seed": 5}
        assert sent == {**expected, "model": served}


async def test_streamed_bytes_pass_through(running: Running) -> None:
    running.vllm.answer = lambda _: "包裹 在 路上 and so on"
    response = await running.ask(TRACK, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == running.vllm.sent[-1]
    assert running.desk.held == 0


async def test_cot_keeps_reasoning_out_of_the_content(running: Running) -> None:
    running.vllm.answer = lambda _: "<think>\n12 + 30 = 42\n</think>\n\nThe answer is 42."
    response = await running.ask("what is 12 plus 30", n=1)
    body = response.json()
    assert response.headers["x-pointsman-chain"] == "cot"
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert body["model"] == response.headers["x-pointsman-adapter"]
    choice = body["choices"][0]
    assert choice["message"]["content"] == "The answer is 42."
    assert choice["message"]["reasoning_content"].strip() == "12 + 30 = 42"
    assert choice["finish_reason"] == "stop"
    assert (
        body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    )


async def test_cot_streamed_equals_unstreamed(running: Running) -> None:
    running.vllm.answer = lambda _: "<think>\n12 + 30 = 42\n</think>\n\nThe answer is 42."
    whole = (await running.ask("what is 12 plus 30")).json()
    response = await running.ask("what is 12 plus 30", stream=True, stream_options={"include_usage": True})
    *chunks, usage, done = events(response.text)
    assert done == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}  # + 30 = , a word a token
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all(chunk["usage"] is None for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[-1] == {}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    for field in ("content", "reasoning_content"):
        assert "".join(delta.get(field, "") for delta in deltas) == whole["choices"][0]["message"][field]


@pytest.mark.parametrize(
    "option", [{}, {"stop": "42."}, {"logprobs": True}, {"logprobs": True, "stop": "42."}]
)
async def test_the_tokens_of_reasoning_are_counted(running: Running, option: dict[str, Any]) -> None:
    running.vllm.answer = lambda _: THOUGHT
    whole = (await running.ask(SUM, **option)).json()["usage"]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = events((await running.ask(SUM, **options, **option)).text)[-2]["usage"]
    assert whole["completion_tokens_details"] == {"reasoning_tokens": 3}
    assert streamed == whole
    direct = (await running.ask(SUM, model="chat", **option)).json()["usage"]
    assert "completion_tokens_details" not in direct  # what passes is not parsed


async def test_usage_chunk_only_where_it_is_asked_for(running: Running) -> None:
    response = await running.ask("what is 12 plus 30", stream=True)
    assert all("usage" not in chunk for chunk in events(response.text)[:-1])


THOUGHT = "<think>\n12 + 30 = 42\n</think>\n\nThe answer is 42."
SUM = "what is 12 plus 30"


async def test_options_beyond_one_text_keep_the_chain_and_the_reasoning_apart(running: Running) -> None:
    running.vllm.answer = lambda _: THOUGHT
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    for option in (
        {"n": 2},
        {"logprobs": True},
        {"tools": tools},
        {"response_format": {"type": "json_object"}},
    ):
        response = await running.ask(SUM, **option)
        assert response.headers["x-pointsman-chain"] == "cot"
        assert response.headers["x-pointsman-intent"] == "arithmetic"
        assert option.items() <= running.vllm.requests[-1].items()
        message = response.json()["choices"][0]["message"]
        assert message["content"] == "The answer is 42."
        assert message["reasoning_content"] == "12 + 30 = 42"
        streamed = await running.ask(SUM, stream=True, **option)
        *chunks, done = events(streamed.text)
        assert done == "[DONE]"
        for field in ("content", "reasoning_content"):
            deltas = [chunk["choices"][0]["delta"].get(field) or "" for chunk in chunks]
            assert "".join(deltas) == message[field]


@pytest.mark.parametrize("option", [{}, {"logprobs": True}], ids=["events", "raw"])
async def test_reasoning_is_left_out_where_the_client_asks_for_that(
    running: Running, option: dict[str, Any]
) -> None:
    running.vllm.answer = lambda _: THOUGHT
    asked = {"include_reasoning": False, **option}
    whole = (await running.ask(SUM, **asked)).json()["choices"][0]["message"]
    *chunks, _ = events((await running.ask(SUM, stream=True, **asked)).text)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert whole["content"] == "".join(delta.get("content") or "" for delta in deltas) == "The answer is 42."
    assert all("reasoning_content" not in said for said in (whole, *deltas))


async def test_several_answers_are_not_made_greedy_by_the_route(running: Running) -> None:
    await running.ask(SUM, n=2)
    assert "temperature" not in running.vllm.requests[-1]
    await running.ask(SUM, n=2, temperature=0)  # which vLLM refuses
    asked = running.vllm.requests[-1]
    assert (asked["temperature"], asked["top_k"]) == (1, 1)
    await running.ask(SUM, n=1)
    assert running.vllm.requests[-1]["temperature"] == 0


async def test_what_a_route_with_server_tools_cannot_do_is_refused_by_name(start: Start) -> None:
    routes = ROUTES.replace("chain: direct\n    adapter: support", "chain: react\n    adapter: support")
    async with start(routes=routes) as running:
        for name, value in (("n", 2), ("logprobs", True)):
            for stream in (False, True):
                response = await running.ask(TRACK, stream=stream, **{name: value})
                error = response.json()["error"]
                assert (response.status_code, error["param"]) == (400, name)
                assert "leave it out, or name an adapter" in error["message"]
        assert running.vllm.requests == []


async def test_an_adapter_that_a_route_lets_reason_does_so_when_it_is_named(running: Running) -> None:
    running.vllm.answer = lambda _: THOUGHT
    for model in ("math", "math@000000000001"):
        response = await running.ask(SUM, model=model, top_k=3)
        assert response.headers["x-pointsman-chain"] == "cot"
        assert response.headers["x-pointsman-intent"] == "-"
        message = response.json()["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("The answer is 42.", "12 + 30 = 42")
        sent = running.vllm.requests[-1]
        assert sent["messages"] == [{"role": "user", "content": SUM}]  # its own prompt, not the route's
        assert (sent["top_k"], sent.get("temperature")) == (3, None)
    response = await running.ask(SUM, model="support")
    assert response.headers["x-pointsman-chain"] == "direct"
    assert response.json()["choices"][0]["message"]["content"] == THOUGHT


async def test_what_vllm_adds_to_openais_form_is_left_out(running: Running) -> None:
    added = {
        "token_ids": None,
        "stop_reason": 'a "b", c',
        "routed_experts": None,
    }
    running.vllm.extra = added
    said = ',"token_ids":null, said the user'
    for stream in (False, True):
        response = await running.ask(said, model="chat", stream=stream)
        bodies = events(response.text)[:-1] if stream else [response.json()]
        for body in bodies:
            assert not added.keys() & body["choices"][0].keys()
        choices = [body["choices"][0] for body in bodies]
        text = "".join((choice.get("delta") or choice.get("message"))["content"] for choice in choices[:-1])
        if not stream:
            text = choices[0]["message"]["content"]
        assert text.endswith(said)
    running.vllm.extra = {"token_ids": [1, 2]}  # which somebody asked for
    response = await running.ask(TRACK, model="chat", return_token_ids=True)
    assert response.json()["choices"][0]["token_ids"] == [1, 2]


async def test_route_without_live_adapter_is_503_and_never_the_base(running: Running) -> None:
    del running.desk.versions["support"]
    response = await running.ask(TRACK)
    assert response.status_code == 503
    assert "support" in response.json()["error"]["message"]
    assert response.headers["retry-after"]
    assert running.vllm.requests == []
    assert response.json()["error"]["message"] == (
        "the route 'track_parcel' waits for the adapter 'support', which has no live version"
    )


async def test_conversation_keeps_its_key(running: Running) -> None:
    turn = [{"role": "user", "content": TRACK}]
    later = [*turn, {"role": "assistant", "content": "on its way"}, {"role": "user", "content": "and when?"}]
    for messages in (turn, later, [{"role": "user", "content": "other"}]):
        await running.ask("", model="support", messages=messages)
    first, second, other = running.desk.conversations
    assert first == second != other


async def test_request_id_is_the_clients_if_it_is_sane(running: Running) -> None:
    given = await running.http.get("/health", headers={"x-request-id": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    odd = await running.http.get("/health", headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"] not in ("", "a b\tc")


async def test_developers_are_the_system_to_the_engine(running: Running) -> None:
    parts = [{"type": "text", "text": "Be brief."}]
    messages = [{"role": "developer", "content": parts}, {"role": "user", "content": TRACK}]
    await running.ask("", model="chat", messages=messages)
    assert running.vllm.requests[-1]["messages"] == [{"role": "system", "content": parts}, messages[1]]
    await running.ask("", messages=messages)
    first, last = running.vllm.requests[-1]["messages"]
    assert first == {"role": "system", "content": "support of Northway\n\nBe brief."}
    assert last == messages[1]
    body = {"model": "chat", "messages": [{"role": "developer", "content": "hi"}]}
    await running.http.post("/tokenize", json=body)
    assert running.vllm.tokens[-1]["messages"] == [{"role": "system", "content": "hi"}]


async def test_rendering_merges_the_clients_system_message(start: Start) -> None:
    async with start() as running:
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TRACK}]
        await running.ask("", messages=messages)
        first, *rest = running.vllm.requests[-1]["messages"]
        assert first["content"] == "support of Northway\n\nBe brief."
        assert rest == messages[1:]
