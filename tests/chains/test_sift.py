"""The engine's own answer, its reasoning taken apart: many choices, log-probabilities, tool calls."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from chains.cot import Cot
from chains.errors import ChainTimeout, ChainUnsupported, EngineAnswerError
from chains.events import ChainRequest, Event, Limits, Raw
from chains.react import React
from chains.testing import ScriptedEngine, asked, events_of

TOOL = {"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}
TOKENS = [
    ["<think>", "\n", "1 +", " 1", "\n", "</think>", "\n\n", "It", " is", " 2"],
    ["<think>", "hm", "</think>", "42", "。\n", "Done"],
    ["No", " tag", " <", "b"],
]


def entries(tokens: list[str]) -> dict[str, Any]:
    return {"content": [{"token": t, "logprob": -0.5, "bytes": list(t.encode())} for t in tokens]}


def whole(choices: list[list[str]], **more: Any) -> bytes:
    """vLLM's answer, not streamed."""
    found = [
        {
            "index": index,
            "message": {"role": "assistant", "content": "".join(tokens), "reasoning": None, **more},
            "logprobs": entries(tokens),
            "finish_reason": "tool_calls" if more else "stop",
        }
        for index, tokens in enumerate(choices)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": found, "usage": usage}
    ).encode()


def stream(choices: list[list[str]], usage_along: bool = False) -> bytes:
    """The same, streamed: the choices take turns."""
    chunks: list[dict[str, Any]] = []
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def add(index: int, delta: dict[str, Any], tokens: list[str], reason: str | None, said: int) -> None:
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        choice["logprobs"] = entries(tokens) if tokens else None
        usage = {"prompt_tokens": 3, "completion_tokens": said, "total_tokens": 3 + said}
        chunks.append({**head, "choices": [choice], **({"usage": usage} if usage_along else {})})

    for index in range(len(choices)):
        add(index, {"role": "assistant", "content": ""}, [], None, 0)
    for at in range(max(map(len, choices))):
        for index, tokens in enumerate(choices):
            if at < len(tokens):
                add(index, {"content": tokens[at]}, [tokens[at]], None, at + 1)
            if at == len(tokens) - 1:
                add(index, {"content": ""}, [], "stop", at + 1)
    chunks.append({**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 20}})
    return (
        b"".join(f"data: {json.dumps(c, ensure_ascii=False)}\n\n".encode() for c in chunks)
        + b"data: [DONE]\n\n"
    )


def parsed(events: list[Event]) -> list[dict[str, Any]]:
    data = b"".join(event.data for event in events if isinstance(event, Raw))
    assert data.endswith(b"data: [DONE]\n\n")
    return [json.loads(line.removeprefix(b"data: ")) for line in data.split(b"\n\n")[:-2]]


def gathered(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a client makes of a stream."""
    found: dict[int, dict[str, Any]] = defaultdict(
        lambda: {"content": "", "reasoning_content": "", "tokens": [], "reason": None}
    )
    for chunk in chunks:
        for choice in chunk["choices"]:
            of = found[choice["index"]]
            assert of["reason"] is None, "nothing comes after the end"
            for field in ("content", "reasoning_content"):
                of[field] += choice["delta"].get(field) or ""
            of["tokens"] += [one["token"] for one in (choice.get("logprobs") or {}).get("content", [])]
            of["reason"] = choice["finish_reason"]
    return found


@pytest.mark.parametrize("cut", [1, 7, 100_000])
async def test_every_choice_is_taken_apart_streamed_as_whole(cut: int) -> None:
    parameters = {"n": 3, "logprobs": True}
    engine = ScriptedEngine([stream(TOKENS)], cut=cut)
    streamed = gathered(parsed(await events_of(Cot(), asked(True, parameters=parameters), engine)))
    (raw,) = await events_of(Cot(), asked(False, parameters=parameters), ScriptedEngine([whole(TOKENS)]))
    assert isinstance(raw, Raw)
    choices = json.loads(raw.data)["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["It is 2", "42。\nDone", "No tag <b"]
    assert [choice["message"].get("reasoning_content") for choice in choices] == ["1 + 1", "hm", None]
    tokens = [[one["token"] for one in choice["logprobs"]["content"]] for choice in choices]
    assert tokens == [["It", " is", " 2"], ["42", "。\n", "Done"], ["No", " tag", " <", "b"]]
    for choice in choices:
        of = streamed[choice["index"]]
        assert of["content"] == choice["message"]["content"]
        assert of["reasoning_content"] == choice["message"].get("reasoning_content", "")
        assert of["tokens"] == tokens[choice["index"]]
        assert of["reason"] == choice["finish_reason"] == "stop"
    assert "reasoning" not in choices[0]["message"]
    assert engine.bodies[0]["n"] == 3


async def test_the_engines_options_pass_on() -> None:
    parameters = {"logprobs": True, "top_logprobs": 2, "seed": 7, "stream_options": {"include_usage": True}}
    engine = ScriptedEngine([stream(TOKENS[:1])])
    chunks = parsed(await events_of(Cot(), asked(True, parameters=parameters), engine))
    assert engine.bodies == [
        {**parameters, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    ]
    assert chunks[-1]["usage"]["completion_tokens"] == 20
    assert all("usage" not in chunk for chunk in chunks[:-1])


async def test_a_stop_is_about_the_content_and_leaves_the_stream_when_all_have_stopped() -> None:
    tokens = [["<think>", "a\n", "</think>", "It\n", "more "], ["One", " two", "\n", "three"]]
    long = [[*one, *["on and on"] * 50] for one in tokens]
    parameters = {"n": 2, "stop": "\n", "stream_options": {"include_usage": True}}
    engine = ScriptedEngine([stream(long, usage_along=True)], cut=100)
    chunks = parsed(await events_of(Cot(), asked(True, parameters=parameters), engine))
    assert [of["content"] for _, of in sorted(gathered(chunks).items())] == ["It", "One two"]
    assert {of["reason"] for of in gathered(chunks).values()} == {"stop"}
    assert engine.cancelled == 1
    assert "stop" not in engine.bodies[0]
    assert engine.bodies[0]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert all("usage" not in chunk for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    usage = chunks[-1]["usage"]
    assert 7 <= usage["completion_tokens"] < 20  # of what the engine made until it was left
    assert usage["total_tokens"] == 3 + usage["completion_tokens"]


async def test_what_the_engine_writes_behind_a_stop_of_one_choice_is_not_counted() -> None:
    choices = [["a", ".", *("b" * 20)], [*("c" * 10), ".", "d"]]
    parameters = {"n": 2, "stop": ".", "stream_options": {"include_usage": True}}
    counted = []
    for cut in (60, 700, 4_000):  # bytes that come at once
        engine = ScriptedEngine([stream(choices, usage_along=True)], cut=cut)
        events = await events_of(Cot(), asked(True, parameters=parameters), engine)
        counted.append(parsed(events)[-1]["usage"]["completion_tokens"])
    assert counted == [2 + 11] * 3


JSON = {"response_format": {"type": "json_object"}}
LEADING = {"structured_outputs": {"regex": "<think>.*</think>[0-9]+"}}


@pytest.mark.parametrize("cut", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("form", "tokens", "told", "kept"),
    [
        (JSON, ['{"a"', ': "<think>', "hm ", '"}'], ('{"a": "<think>hm "}', None), [0, 1, 2, 3]),
        (JSON, ["{", '"<think>a</think>": 1', "}", " "], ('{"<think>a</think>": 1} ', None), [0, 1, 2, 3]),
        (JSON, ["\n", " <", "b", "<think>"], ("\n <b<think>", None), [0, 1, 2, 3]),
        (
            LEADING,
            [" <th", "ink>", "1<think>", "</think>", " 2", "<think>"],
            ("2<think>", "1<think>"),
            [4, 5],
        ),
        (LEADING, ["<think>", "1+1"], ("", "1+1"), []),
    ],
)
async def test_guided_text_is_content_but_for_what_is_thought_before_it(
    form: dict[str, Any], tokens: list[str], told: tuple[str, str | None], kept: list[int], cut: int
) -> None:
    request = {stream: asked(stream, parameters={**form, "logprobs": True}) for stream in (True, False)}
    engine = ScriptedEngine([stream([tokens])], cut=cut)
    (streamed,) = gathered(parsed(await events_of(Cot(), request[True], engine))).values()
    (raw,) = await events_of(Cot(), request[False], ScriptedEngine([whole([tokens])]))
    assert isinstance(raw, Raw)
    (choice,) = json.loads(raw.data)["choices"]
    assert (choice["message"]["content"], choice["message"].get("reasoning_content")) == told
    of_content = [tokens[index] for index in kept]
    assert [one["token"] for one in choice["logprobs"]["content"]] == streamed["tokens"] == of_content
    assert (streamed["content"], streamed["reasoning_content"]) == (told[0], told[1] or "")
    assert choice["finish_reason"] == streamed["reason"] == "stop"


async def test_a_continued_thought_ends_under_a_guide_that_names_its_end() -> None:
    messages = [{"role": "user", "content": "1 + 1"}, {"role": "assistant", "content": "<think>1 +"}]
    for form, text, content, reasoned in (
        ({"response_format": {"type": "json_object"}}, '{"a": 2}', '{"a": 2}', None),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes", "yes", None),
        ({"structured_outputs": {"json": {"description": "</think>"}}}, "{}", "{}", None),
        ({"structured_outputs": {"regex": r"[^<]*<\/think>\d"}}, " 1</think>2", "2", "1"),
    ):
        parameters = {"continue_final_message": True, "add_generation_prompt": False, **form}
        request = ChainRequest(messages, parameters, stream=False)
        (raw,) = await events_of(Cot(), request, ScriptedEngine([whole([[text]])]))
        assert isinstance(raw, Raw)
        message = json.loads(raw.data)["choices"][0]["message"]
        assert (message["content"], message.get("reasoning_content")) == (content, reasoned)


async def test_reasoning_that_never_ends_is_a_cut_answer() -> None:
    tokens = [["<think>", "1", " and"], ["2"]]
    engine = ScriptedEngine([whole(tokens)])
    (raw,) = await events_of(Cot(), asked(False, parameters={"n": 2}), engine)
    assert isinstance(raw, Raw)
    first, second = json.loads(raw.data)["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("", "length")
    assert (second["message"]["content"], second["finish_reason"]) == ("2", "stop")


@pytest.mark.parametrize("chain", [Cot(), React()])
async def test_the_clients_own_tools_are_the_clients_to_call(chain: Cot | React) -> None:
    call = {"id": "call_0", "type": "function", "function": {"name": "track", "arguments": "{}"}}
    engine = ScriptedEngine([whole([["<think>", "a", "</think>"]], tool_calls=[call])])
    request = asked(False, parameters={"tools": [TOOL]}, tools=["track_parcel"])
    (raw,) = await events_of(chain, request, engine)
    assert isinstance(raw, Raw)
    (choice,) = json.loads(raw.data)["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [call]
    assert choice["message"]["reasoning_content"] == "a"
    assert choice["finish_reason"] == "tool_calls"
    assert engine.bodies[0]["tools"] == [TOOL]


async def test_a_call_that_the_engine_could_not_read_is_not_lost() -> None:
    said = ["Let me see.", "<tool_call>", '{"name": "track"', "</tool_call>"]
    for is_stream, answer in ((False, whole([said])), (True, stream([said]))):
        events = await events_of(
            React(), asked(is_stream, parameters={"tools": [TOOL]}), ScriptedEngine([answer])
        )
        data = b"".join(event.data for event in events if isinstance(event, Raw))
        bodies = [data] if not is_stream else data.removesuffix(b"data: [DONE]\n\n").split(b"data: ")[1:]
        choices = [choice for body in bodies for choice in json.loads(body)["choices"]]
        told = [choice.get("message") or choice["delta"] for choice in choices]
        assert "".join(one.get("content") or "" for one in told) == "".join(said)


async def test_tools_that_may_not_be_called_are_none() -> None:
    request = asked(False, parameters={"tools": [TOOL], "tool_choice": "none"})
    engine = ScriptedEngine([whole([["<think>", "a", "</think>", "b"]])])
    events = await events_of(Cot(), request, engine)
    assert not any(isinstance(event, Raw) for event in events)
    assert "tools" not in engine.bodies[0]


async def test_a_message_that_is_continued_may_be_in_the_middle_of_its_reasoning() -> None:
    messages = [{"role": "user", "content": "1 + 1"}, {"role": "assistant", "content": "<think>1 +"}]
    parameters = {"continue_final_message": True, "add_generation_prompt": False}
    request = ChainRequest(messages, parameters, stream=False)
    engine = ScriptedEngine([whole([[" 1 = 2", "</think>", "2"]])])
    (raw,) = await events_of(Cot(), request, engine)
    assert isinstance(raw, Raw)
    message = json.loads(raw.data)["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"].strip()) == ("2", "1 = 2")


async def test_tokens_as_numbers_are_refused_by_name() -> None:
    engine = ScriptedEngine([whole(TOKENS)])
    request = asked(False, parameters={"logprobs": True, "return_tokens_as_token_ids": True})
    with pytest.raises(ChainUnsupported, match="return_tokens_as_token_ids"):
        await events_of(Cot(), request, engine)
    assert engine.bodies == []


@pytest.mark.parametrize("chain", [Cot(), React()])
async def test_a_stop_string_that_is_to_stay_is_refused_by_name(chain: Cot | React) -> None:
    engine = ScriptedEngine([whole(TOKENS)])
    for more in ({}, {"tools": [TOOL]}):
        request = asked(False, parameters={"stop": "It", "include_stop_str_in_output": True, **more})
        with pytest.raises(ChainUnsupported, match="include_stop_str_in_output"):
            await events_of(chain, request, engine)
    assert engine.bodies == []


@pytest.mark.parametrize("body", [b"{}", b'{"choices": [7]}', b'{"choices": [{"message": 7}]}'])
async def test_an_answer_of_another_form_is_an_error(body: bytes) -> None:
    with pytest.raises(EngineAnswerError, match=r"no choice|not a chat completion"):
        await events_of(Cot(), asked(False, parameters={"n": 2}), ScriptedEngine([body]))


@pytest.mark.parametrize("is_stream", [True, False])
async def test_the_limit_in_time_holds(is_stream: bool) -> None:
    engine = ScriptedEngine([stream(TOKENS)], stall=0)
    request = asked(is_stream, parameters={"n": 2}, limits=Limits(seconds=0.05))
    with pytest.raises(ChainTimeout, match=r"0\.05 s"):
        await events_of(Cot(), request, engine)
    assert (engine.running, engine.cancelled) == (0, 1)
