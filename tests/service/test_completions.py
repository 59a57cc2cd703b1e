"""Text completions: those of a named model are the engine's, routed ones are answers of their routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.test_chat import SUM, THOUGHT, TRACK, events


async def test_completions_of_a_named_model_are_the_engines(running: Running) -> None:
    body: dict[str, Any] = {"model": "math", "prompt": "1 + 1 ="}
    response = await running.http.post("/v1/completions", json=body)
    assert response.content == running.vllm.sent[-1]
    assert response.json()["object"] == "text_completion"
    assert response.headers["x-pointsman-adapter"].startswith("math@")


@pytest.mark.parametrize("text", [TRACK, SUM])
async def test_a_routed_completion_is_the_answer_of_its_route(running: Running, text: str) -> None:
    running.vllm.answer = lambda _: THOUGHT if text == SUM else "On its way, soon."
    said = "The answer is 42." if text == SUM else "On its way, soon."
    body: dict[str, Any] = {"model": "auto", "prompt": text, "stop": ["#"]}
    of_one = (await running.http.post("/v1/completions", json={**body, "prompt": [text]})).json()
    assert of_one["choices"][0]["text"] == said  # as LangChain sends it
    whole = await running.http.post("/v1/completions", json=body)
    assert whole.headers["x-pointsman-chain"] == ("cot" if text == SUM else "direct")
    answer = whole.json()
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["model"] == whole.headers["x-pointsman-adapter"]
    assert answer["choices"] == [{"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}]
    assert answer["usage"]["total_tokens"] > 0
    assert running.vllm.requests[-1]["messages"][0]["role"] == "system"  # the route's prompt
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events((await running.http.post("/v1/completions", json=body)).text)
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == said
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["total_tokens"] > 0


async def test_each_of_several_prompts_takes_its_own_route(running: Running) -> None:
    running.vllm.answer = lambda asked: THOUGHT if SUM in str(asked["messages"]) else "On its way, soon."
    body: dict[str, Any] = {"model": "auto", "prompt": [SUM, TRACK, SUM]}
    alone = [
        (await running.http.post("/v1/completions", json={**body, "prompt": [one]})) for one in (SUM, TRACK)
    ]
    costs = [answer.json()["usage"]["total_tokens"] for answer in alone]
    whole = await running.http.post("/v1/completions", json=body)
    assert whole.status_code == 200, whole.text
    told = [(choice["index"], choice["text"], choice["finish_reason"]) for choice in whole.json()["choices"]]
    texts = ["The answer is 42.", "On its way, soon.", "The answer is 42."]
    assert told == [(at, text, "stop") for at, text in enumerate(texts)]
    assert whole.json()["usage"]["total_tokens"] == 2 * costs[0] + costs[1]
    assert whole.headers["x-pointsman-chain"] == whole.headers["x-pointsman-intent"] == "-"
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events((await running.http.post("/v1/completions", json=body)).text)
    assert done == "[DONE]"
    found, ends = ["", "", ""], []
    for chunk in chunks:
        (choice,) = chunk["choices"]
        found[choice["index"]] += choice["text"]
        ends += [choice["index"]] if choice["finish_reason"] else []
    assert (found, sorted(ends)) == (texts, [0, 1, 2])
    assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1
    assert usage["usage"] == whole.json()["usage"]
    same = await running.http.post("/v1/completions", json={"model": "auto", "prompt": [TRACK] * 2, "n": 2})
    assert [choice["index"] for choice in same.json()["choices"]] == [0, 2]  # this engine gives one of two
    assert same.headers["x-pointsman-intent"] == "track_parcel"
    assert same.headers["x-pointsman-adapter"].startswith("support@")


async def test_a_prompt_whose_stream_breaks_ends_all_with_its_error(running: Running) -> None:
    running.vllm.answer = lambda _: "On its way, soon."
    running.vllm.break_after = 3
    body = {"model": "auto", "prompt": [TRACK, TRACK], "stream": True}
    response = await running.http.post("/v1/completions", json=body)
    assert response.status_code == 200
    *chunks, last = events(response.text)
    assert chunks
    assert "error" not in str(chunks)
    assert last["error"]["code"] == "engine_unavailable"


@pytest.mark.parametrize("stream", [False, True])
async def test_one_prompt_that_fails_fails_all(running: Running, stream: bool) -> None:
    body = {"model": "auto", "prompt": [TRACK, " "], "stream": stream}
    refused = await running.http.post("/v1/completions", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompt[1]")
    running.vllm.refuse = (400, "no such thing")
    body["prompt"] = [TRACK, SUM]
    assert (await running.http.post("/v1/completions", json=body)).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        *({"prompt": [1, 2, 3]}, {"prompt": ""}, {"prompt": [" "]}),
        *({"echo": True}, {"suffix": "x"}, {"logprobs": 0}, {"best_of": 2}),
    ],
)
async def test_what_a_routed_completion_cannot_do_is_refused_by_name(
    running: Running, wrong: dict[str, Any]
) -> None:
    body = {"model": "auto", "prompt": TRACK, **wrong}
    response = await running.http.post("/v1/completions", json=body)
    assert response.status_code == 400
    assert [response.json()["error"]["param"]] == list(wrong)
    assert running.vllm.requests == []
