"""A stop string beside the client's tools: looked for in the content alone, streamed as whole.

The engine of these tests writes a letter a token, and ends where vLLM would: at a stop string wherever it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chains.cot import Cot
from chains.direct import Direct
from chains.errors import ChainUnsupported
from chains.events import Chain, ChainRequest, Raw
from chains.gathered import Gathered
from chains.react import React
from chains.structured import Structured, StructuredOptions
from service.calls import ReadableCalls
from service.errors import EngineRefused
from tests.service.streaming import sse, usage

TRACK = {"name": "track", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": TRACK}]
NAMED = {"type": "function", "function": {"name": "track"}}
TAG, ARGUMENTS = "<tool_call>", '{"id": "PX1"}'
CALL = {"id": "call_0", "type": "function", "function": {"name": "track", "arguments": ARGUMENTS}}
SAID = "Let me see <b>.\n"
WRITTEN = f'{TAG}\n{{"name": "track", "arguments": {ARGUMENTS}}}\n</tool_call>'
BROKEN = f"{TAG}\n{{oh, this is no call}}\n</tool_call>"
PROMPT, AGAIN = 20, (30, 8)  # tokens of the prompt, and those of a second try
CHAINS: list[Chain] = [Direct(), Cot(), React(), Structured(StructuredOptions())]
STOPS = [
    "a",
    "_",
    "o",
    ">",
    "l>",
    "t",
    '"',
    "}",
    "PX",
    "track",
    "name",
    TAG,
    "</tool_call>",
    "\n",
    "e <",
    " ",
]


@dataclass
class Writing:
    """An engine whose model writes ``texts``, one a choice; a second try, under ``required``: ``second``.

    What it can't read it gives as content where the answer is whole, and drops where it is streamed.
    """

    texts: Sequence[str]
    second: dict[str, Any] | None = None
    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        self.bodies.append(body)
        if body.get("tool_choice") == "required" and "return_token_ids" not in body:
            if self.second is None:
                raise EngineRefused(400, "no guided decoding here")
            again = {"role": "assistant", "content": "", "tool_calls": [self.second]}
            found = [{"index": 0, "message": again, "finish_reason": "tool_calls"}]
            return json.dumps({"choices": found, "usage": usage(*AGAIN)}).encode()
        choices, count = list[dict[str, Any]](), 0
        for index, wanted in enumerate(self.texts):
            text = stopped_at(wanted, body)
            calls = [CALL] if WRITTEN in text else []
            message = {"role": "assistant", "content": text.partition(TAG)[0] if calls else text}
            choices.append(
                {
                    "index": index,
                    "message": {**message, "tool_calls": calls},
                    "finish_reason": "tool_calls" if calls else "stop",
                    "token_ids": [*map(ord, text), 0],
                }
            )
            count += len(text) + 1
        return json.dumps({"id": "x", "choices": choices, "usage": usage(PROMPT, count)}).encode()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        self.bodies.append(body)
        along = (body.get("stream_options") or {}).get("continuous_usage_stats")
        texts = [stopped_at(text, body) for text in self.texts]
        for at in range(-1, max(map(len, texts)) + 1):
            for index, text in enumerate(texts):
                if at <= len(text):
                    choice = {"index": index, **self._choice(text, at)}
                    more = {"usage": usage(PROMPT, at + 1)} if along else {}
                    yield sse({"id": "x", "created": 1, "model": "m", "choices": [choice], **more})
        yield sse({"id": "x", "choices": [], "usage": usage(PROMPT, sum(len(text) + 1 for text in texts))})
        yield b"data: [DONE]\n\n"

    def _choice(self, text: str, at: int) -> dict[str, Any]:
        if at < 0:
            return {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        if at == len(text):
            calls = [{"index": 0, **CALL}] if WRITTEN in text else []
            reason = "tool_calls" if calls else "stop"
            delta = {"tool_calls": calls} if calls else {}
            return {"delta": delta, "finish_reason": reason, "token_ids": [0]}
        before = text.find(TAG) < 0 or at < text.find(TAG)
        said = {"content": text[at]} if before else {}
        return {"delta": said, "finish_reason": None, "token_ids": [ord(text[at])]}

    async def text_of(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))


def stopped_at(text: str, body: Mapping[str, Any]) -> str:
    for stop in body.get("stop") or []:
        text = text.partition(stop)[0]
    return text


async def answers(chain: Chain, engine: Writing, **parameters: Any) -> list[list[Any]]:
    """Content, calls and reason of each choice, and the usage: whole, then streamed."""
    readable = ReadableCalls(engine, engine.text_of)
    found = []
    for stream in (False, True):
        more = {"stream_options": {"include_usage": True}} if stream else {}
        request = ChainRequest([{"role": "user", "content": "hi"}], {**parameters, **more}, stream)
        events = [event async for event in chain.run(request, readable)]
        data = b"".join(event.data for event in events if isinstance(event, Raw))
        if stream:
            gathered = Gathered()
            for line in data.removesuffix(b"data: [DONE]\n\n").split(b"\n\n")[:-1]:
                gathered.add(json.loads(line.removeprefix(b"data: ")))
        answer = gathered.answer() if stream else json.loads(data)
        told = [
            (
                choice["message"].get("content") or "",
                choice["message"].get("tool_calls") or [],
                choice["finish_reason"],
            )
            for choice in answer["choices"]
        ]
        found.append([*told, answer["usage"]])
    return found


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("stop", STOPS)
async def test_a_stop_ends_the_text_before_a_call_and_never_a_call(chain: Chain, stop: str) -> None:
    engine = Writing([SAID + WRITTEN])
    whole, streamed = await answers(chain, engine, tools=TOOLS, stop=[stop])
    before, found, _ = SAID.partition(stop)
    if found:
        assert whole[0] == (before, [], "stop")
        if isinstance(chain, Direct) or stop[-1] not in " \n<":  # which wait for what follows them
            assert whole[1] == usage(PROMPT, len(before + found))
    else:
        assert whole == [(SAID, [CALL], "tool_calls"), usage(PROMPT, len(SAID + WRITTEN) + 1)]
    assert streamed == whole
    assert len(engine.bodies) == 2  # nothing was asked for again


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(("choice", "reason"), [("required", "tool_calls"), (NAMED, "stop")])
async def test_a_stop_means_nothing_where_only_calls_may_be_written(
    chain: Chain, stop: str, choice: object, reason: str
) -> None:
    engine = Writing([WRITTEN])
    whole, streamed = await answers(chain, engine, tools=TOOLS, stop=stop, tool_choice=choice)
    assert whole == streamed == [("", [CALL], reason), usage(PROMPT, len(WRITTEN) + 1)]


@pytest.mark.parametrize("second", [CALL, None])
@pytest.mark.parametrize("stop", ["\n", "oh,"])
async def test_a_call_that_is_asked_for_again_counts_twice(second: dict[str, Any] | None, stop: str) -> None:
    for chain in CHAINS:
        engine = Writing(["So: " + BROKEN], second)
        whole, streamed = await answers(chain, engine, tools=TOOLS, stop=stop)
        assert whole == streamed
        (content, calls, reason), cost = whole
        if second:
            assert (content, calls, reason) == ("So: ", [CALL], "tool_calls")
            assert cost == usage(PROMPT + AGAIN[0], len("So: " + BROKEN) + 1 + AGAIN[1])
        else:  # what the model wrote is the content, and so it is stopped
            assert (content, calls, reason) == ("So: " + BROKEN.partition(stop)[0], [], "stop")
            assert cost == usage(PROMPT, len("So: " + BROKEN) + 1)
        assert len(engine.bodies) == 4


@pytest.mark.parametrize("stop", [None, "z", "k"])
async def test_each_choice_ends_for_itself(stop: str | None) -> None:
    texts = ["So: " + BROKEN, "I think, so it is", "Oh: " + BROKEN, SAID + WRITTEN]
    engine = Writing(texts, CALL)
    whole, streamed = await answers(Direct(), engine, tools=TOOLS, n=4, stop=stop)
    assert whole == streamed
    assert whole[1] == ("I thin" if stop == "k" else texts[1], [], "stop")
    assert [calls for _, calls, _ in (whole[0], whole[2], whole[3])] == [[CALL]] * 3
    written = [len(text) + 1 for text in texts]
    if stop == "k":  # what is written behind it is not counted, though the engine can't be told to end it
        written[1] = len("I think")
    assert whole[4] == usage(PROMPT + 2 * AGAIN[0], sum(written) + 2 * AGAIN[1])


async def test_a_stream_is_left_at_the_stop() -> None:
    texts = ["One. Two. " + WRITTEN, "First! Then. " + WRITTEN]
    whole, streamed = await answers(Direct(), Writing(texts), tools=TOOLS, n=2, stop=".")
    assert whole == streamed
    assert whole[:2] == [("One", [], "stop"), ("First! Then", [], "stop")]
    assert whole[2]["completion_tokens"] < 2 * len("First! Then. ")


@pytest.mark.parametrize("chain", CHAINS)
async def test_a_stop_string_that_is_to_stay_is_refused_by_name(chain: Chain) -> None:
    with pytest.raises(ChainUnsupported, match="include_stop_str_in_output"):
        await answers(chain, Writing([SAID]), tools=TOOLS, stop=".", include_stop_str_in_output=True)


async def test_the_probabilities_and_numbers_of_tokens_are_in_a_gathered_answer() -> None:
    gathered = Gathered()
    for at, letter in enumerate("ab"):
        choice = {"index": 0, "delta": {"content": letter}, "token_ids": [at]}
        gathered.add({"choices": [{**choice, "logprobs": {"content": [{"token": letter}]}}]})
    (choice,) = gathered.answer()["choices"]
    assert choice["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}
    assert choice["token_ids"] == [0, 1]
