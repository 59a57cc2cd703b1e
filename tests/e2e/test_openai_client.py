"""The demo as an application meets it: the openai client, unchanged, on requests nobody generated."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI

from tests.e2e.demo import HOME, Demo

pytestmark = pytest.mark.e2e
PARCEL = "Hello! Could you tell me where my package PX482913 is right now?"


def ask(client: OpenAI, text: str, model: str = "auto") -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("text", "intent", "chain", "held"),
    [
        (PARCEL, "track_parcel", "react", "PX482913"),
        ("请帮我查一下快递 PX482913 现在到哪里了", "track_parcel", "react", "PX482913"),
        ("What is 57 + 26?", "arithmetic", "cot", "83"),
        ("请问 91 减 34 是多少？", "arithmetic", "cot", "57"),
        ("How long do I have to ask for a refund?", "refund", "direct", "30 days"),
        ("Good morning, who are you?", "smalltalk", "direct", "Pointsman"),
        ("Who will win the elections in France?", "fallback", "direct", "can't help"),
    ],
)
def test_each_request_takes_its_track(client: OpenAI, text: str, intent: str, chain: str, held: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": text}]
    )
    assert raw.headers["x-pointsman-intent"] == intent
    assert raw.headers["x-pointsman-chain"] == chain
    assert "@" in raw.headers["x-pointsman-adapter"]
    assert held in (raw.parse().choices[0].message.content or "")


@pytest.mark.parametrize("text", [PARCEL, "What is 57 + 26?", "Thank you so much!"])
async def test_streamed_and_whole_answers_are_equal(demo: Demo, text: str) -> None:
    async with AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        whole = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": text}]
        )
        stream = await client.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": text}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert content == whole.choices[0].message.content
    usage = chunks[-1].usage
    assert usage is not None
    assert whole.usage is not None
    assert usage.total_tokens == whole.usage.total_tokens
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason


def test_reasoning_is_kept_out_of_content(client: OpenAI) -> None:
    message = ask(client, "What is 57 + 26?").choices[0].message
    assert message.content == "57 + 26 = 83"
    assert "ones: 7 + 6 = 13" in message.reasoning_content


def test_a_follow_up_stays_on_its_track(client: OpenAI) -> None:
    first: Any = {"role": "user", "content": PARCEL}
    said: Any = {"role": "assistant", "content": ask(client, PARCEL).choices[0].message.content}
    raw = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=[first, said, {"role": "user", "content": "and where is the other one, QT104477?"}],
    )
    assert raw.headers["x-pointsman-intent"] == "track_parcel"
    assert "QT104477" in (raw.parse().choices[0].message.content or "")


def test_models_are_listed_with_version_base_and_rank_and_can_be_named(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"auto", "pointsman-demo", "support", "math", "extract", "chat", "tools"} <= models.keys()
    support: Any = models["support"]
    assert support.base == "pointsman-demo"
    config = json.loads((HOME / "adapters" / "support" / "adapter_config.json").read_text("utf-8"))
    assert support.rank == config["r"]
    for name in ("support", f"support@{support.version}", "pointsman-demo"):
        answer = ask(client, "Can I get a refund?", name)
        assert answer.model == (
            "pointsman-demo" if name == "pointsman-demo" else f"support@{support.version}"
        )


TRACKING: Any = {
    "type": "function",
    "function": {
        "name": "track_parcel",
        "description": "Find where a parcel is: its status, its city and the day it is expected.",
        "parameters": {
            "type": "object",
            "properties": {"parcel_id": {"type": "string"}},
            "required": ["parcel_id"],
        },
    },
}
LISTING: Any = {
    "type": "function",
    "function": {"name": "list_parcels", "parameters": {"type": "object", "properties": {}}},
}


@pytest.mark.parametrize(
    ("model", "text", "tool", "choice"),
    [
        ("auto", PARCEL, TRACKING, "auto"),
        ("auto", PARCEL, TRACKING, {"type": "function", "function": {"name": "track_parcel"}}),
        ("auto", PARCEL, LISTING, "required"),  # no arguments: {}
        ("auto", "What is 57 + 26?", TRACKING, "auto"),  # no call
    ],
)
async def test_streamed_calls_are_those_of_the_whole_answer(
    demo: Demo, model: str, text: str, tool: Any, choice: Any
) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0}
    asked |= {"tools": [tool], "tool_choice": choice}
    async with AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        whole = (await client.chat.completions.create(**asked)).choices[0]
        async with client.chat.completions.stream(**asked) as stream:
            async for _ in stream:
                pass
            streamed = (await stream.get_final_completion()).choices[0]
    calls: list[list[Any]] = [
        [
            (call.type, call.function.name, json.loads(call.function.arguments))
            for call in found.message.tool_calls or []
            if call.type == "function" and call.id
        ]
        for found in (whole, streamed)
    ]
    assert calls[0] == calls[1]
    assert len(calls[0]) == (0 if "57" in text else 1)
    assert streamed.finish_reason == whole.finish_reason
    for found in (whole, streamed):
        assert not re.search("</?(think|tool_call)>", found.message.content or "")
    assert (whole.message.content or "") == (streamed.message.content or "")


def test_the_client_may_run_the_loop_itself(client: OpenAI) -> None:
    asked: Any = {"model": "auto", "tools": [TRACKING], "messages": [{"role": "user", "content": PARCEL}]}
    said = client.chat.completions.create(**asked).choices[0].message
    assert said.tool_calls
    result = {"parcel_id": "PX482913", "status": "in_transit", "city": "Lyon", "expected": "2026-11-28"}
    asked["messages"] += [
        said.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": json.dumps(result)},
    ]
    assert "Lyon" in (client.chat.completions.create(**asked).choices[0].message.content or "")


@pytest.mark.parametrize("model", ["auto", "math"])
def test_several_answers_at_temperature_0_are_the_same(client: OpenAI, model: str) -> None:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "What is 7 + 2?"}]}
    asked |= {"temperature": 0, "max_tokens": 60}
    (one,) = client.chat.completions.create(**asked).choices
    several = client.chat.completions.create(**asked, n=3).choices
    assert [choice.message.content for choice in several] == [one.message.content] * 3
    texts = client.completions.create(model="math", prompt="7 + 2 =", n=2, temperature=0)
    assert texts.choices[0].text == texts.choices[1].text


async def test_every_choice_keeps_its_reasoning_and_its_tokens_apart(demo: Demo) -> None:
    asked: Any = {"model": "math", "messages": [{"role": "user", "content": "What is 7 + 2?"}]}
    asked |= {"n": 2, "seed": 1, "temperature": 0.01, "logprobs": True, "top_logprobs": 1}
    streamed: dict[int, list[str]] = {0: ["", ""], 1: ["", ""]}
    async with AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        whole = await client.chat.completions.create(**asked)
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            for choice in chunk.choices:
                tokens = (choice.logprobs and choice.logprobs.content) or []
                streamed[choice.index][0] += choice.delta.content or ""
                streamed[choice.index][1] += "".join(one.token for one in tokens)
    for choice in whole.choices:
        assert choice.message.content == "7 + 2 = 9"
        assert choice.logprobs is not None
        tokens = "".join(one.token for one in choice.logprobs.content or [])
        assert tokens.removesuffix("<|im_end|>") == "7 + 2 = 9"
        assert streamed[choice.index] == ["7 + 2 = 9", tokens]


@pytest.mark.parametrize("stream", [True, False])
def test_answers_have_the_fields_of_openais_form_and_no_others(demo: Demo, stream: bool) -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Thanks!"}], "stream": stream}
    text = httpx.post(f"{demo.url}/v1/chat/completions", json=body).text
    answers = [
        json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line.startswith("data: {")
    ]
    for answer in answers if stream else [json.loads(text)]:
        (choice,) = answer["choices"]
        known = {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"}
        assert answer.keys() <= known
        assert choice.keys() <= {"index", "message", "delta", "logprobs", "finish_reason"}
        said = choice.get("message") or choice["delta"]
        assert said.keys() <= {"role", "content", "refusal", "audio"}


def test_a_routed_completion_answers(client: OpenAI) -> None:
    whole = client.completions.create(model="auto", prompt=PARCEL)
    assert "PX482913" in whole.choices[0].text
    chunks = client.completions.create(model="auto", prompt="57 + 26 =", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "57 + 26 = 83"


def test_a_decision_is_explained_without_generating(demo: Demo) -> None:
    answer = httpx.post(f"{demo.url}/v1/route", json={"input": PARCEL}).json()
    assert answer["intent"] == "track_parcel"
    assert answer["abstained"] is False
    assert answer["top"][0]["intent"] == "track_parcel"
    assert answer["top"][0]["confidence"] >= answer["top"][1]["confidence"]


def test_completions_pass_through(client: OpenAI) -> None:
    answer = client.completions.create(model="pointsman-demo", prompt="A parcel", max_tokens=5)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_metrics_count_what_was_asked(demo: Demo, client: OpenAI) -> None:
    def count() -> float:
        return sum(
            float(line.rpartition(" ")[2])
            for line in httpx.get(f"{demo.url}/metrics").text.splitlines()
            if line.startswith("pointsman_requests_total{")
            and {'chain="cot"', 'intent="arithmetic"', 'status="200"'} <= set(re.split("[{,}]", line))
            and 'adapter="math@' in line
        )

    before = count()
    ask(client, "What is 57 + 26?")
    for _ in range(100):  # it is counted when its last byte is out, which may be after it was read
        if count() != before:
            break
        time.sleep(0.05)
    assert count() == before + 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "\xff"}]}', 400),
        (b"[]", 400),
        (b" " * 10_000_000, 413),
        (
            json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}] * 1_000}).encode(),
            400,
        ),
        (b'{"model": "auto", "messages": []}', 400),
        (b'{"model": "auto", "messages": "hi"}', 400),
        (b'{"model": "nothing", "messages": [{"role": "user", "content": "hi"}]}', 404),
        (b'{"model": "support@000000000000", "messages": [{"role": "user", "content": "hi"}]}', 404),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 99999}', 400),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "temperature": "warm"}', 400),
    ],
)
def test_bad_input_is_told_in_openais_form(demo: Demo, body: bytes, status: int) -> None:
    answer = httpx.post(
        f"{demo.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert error["type"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": PARCEL}]}],
        [{"role": "system", "content": PARCEL}],
        [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": PARCEL}],
        [
            {"role": "user", "content": PARCEL},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "track_parcel", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "late"},
        ],
    ],
)
def test_odd_but_right_conversations_are_answered(client: OpenAI, messages: list[Any]) -> None:
    try:
        answer = client.chat.completions.create(model="auto", messages=messages)
    except APIStatusError as exc:
        pytest.fail(f"{exc.status_code}: {exc.message}")
    assert answer.choices[0].finish_reason in {"stop", "length"}
