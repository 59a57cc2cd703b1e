"""Tool calls that the engine can and can't read: never lost, and streamed as they are whole.

The engine of these tests streams what vLLM does: text up to the tag, then nothing of what it can't read.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chains.errors import EngineAnswerError
from service.calls import ReadableCalls
from service.errors import EngineRefused
from tests.service.streaming import usage

TOOLS = [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}]
CALL = {"id": "call_0", "type": "function", "function": {"name": "track", "arguments": '{"id": "PX1"}'}}
BEFORE = "Let me see.\n"
READABLE = BEFORE + '<tool_call>\n{"name": "track", "arguments": {"id": "PX1"}}\n</tool_call>'
UNCLOSED = READABLE.removesuffix("\n</tool_call>")
TURNED = '<tool_call>{"arguments": {"id": "PX1"}, "name": "track"}</tool_call>'
BROKEN = BEFORE + '<tool_call>\n{"nam": track, "arguments": {"id": "PX1"}\n</tool_call>'
TWO = READABLE + "\n<tool_call>{oh}</tool_call>"
END = 0  # the token at the end of an answer


def chunk(delta: dict[str, Any], tokens: Sequence[int], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "token_ids": list(tokens)}
    return {"id": "chatcmpl-1", "prompt_token_ids": [1, 2], "choices": [choice]}


def part(**function: str) -> dict[str, Any]:
    """A piece of a call; what brings a name brings an id."""
    return {
        "index": 0,
        **({"id": "call_0", "type": "function"} if "name" in function else {}),
        "function": function,
    }


@dataclass
class HalfReading:
    """An engine whose model writes ``text``; a second call, under ``required``, finds ``second``."""

    text: str
    pieces: Sequence[dict[str, Any]] = ()  # of calls, as the engine streams them
    second: dict[str, Any] | None = None
    reason: str = "stop"
    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        self.bodies.append(body)
        if body.get("stream") is False:  # the second
            if self.second is None:
                raise EngineRefused(400, "no guided decoding here")
            message, reason = {"role": "assistant", "content": "", "tool_calls": [self.second]}, "tool_calls"
            cost = usage(30, 8)
        else:
            calls = [CALL] if self.text in (READABLE, UNCLOSED, TURNED) else []
            content = self.text.partition("<tool_call>")[0] if calls else self.text
            message = {"role": "assistant", "content": content, "tool_calls": calls}
            reason, cost = "tool_calls" if calls else self.reason, usage(20, 5)
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return json.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": cost}).encode()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        self.bodies.append(body)
        said, tag, unsaid = self.text.partition("<tool_call>")
        chunks = [chunk({"role": "assistant", "content": ""}, [])]
        chunks += [chunk({"content": letter}, [ord(letter)]) for letter in said]
        chunks += [chunk({}, [ord(letter)]) for letter in tag + unsaid]
        chunks += [chunk({"content": None, "tool_calls": [piece]}, []) for piece in self.pieces]
        chunks.append(chunk({}, [] if self.reason == "length" else [END], self.reason))
        chunks.append({"id": "chatcmpl-1", "choices": [], "usage": usage(20, 5)})
        for found in chunks:
            yield b"data: " + json.dumps(found).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    async def text_of(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))


async def answers(engine: HalfReading, **more: object) -> list[tuple[Any, ...]]:
    """Content, calls, reason and usage: of the whole answer, and of the streamed one."""
    readable = ReadableCalls(engine, engine.text_of)
    body: dict[str, Any] = {"messages": [], "tools": TOOLS, **more}
    whole = json.loads(await readable.complete(body))
    (choice,) = whole["choices"]
    content, reason, cost = "", None, None
    calls: list[dict[str, Any]] = []
    async for data in readable.stream(body):
        if b"[DONE]" in data:
            continue
        found = json.loads(data.removeprefix(b"data: "))
        assert "prompt_token_ids" not in found
        cost = found.get("usage") or cost
        for one in found["choices"]:
            assert "token_ids" not in one
            assert not (one["delta"] and one["finish_reason"])  # or OpenAI's client takes no call for done
            assert one["finish_reason"] or any(value is not None for value in one["delta"].values())
            content += one["delta"].get("content") or ""
            calls += one["delta"].get("tool_calls") or []
            reason = one["finish_reason"] or reason
    assert [call.pop("index") for call in calls] == list(range(len(calls)))
    message = choice["message"]
    told = message["content"] or "", message["tool_calls"], choice["finish_reason"], whole["usage"]
    return [told, (content, calls, reason, cost)]


async def test_a_call_that_can_be_read_comes_whole() -> None:
    pieces = [part(name="track"), part(arguments='{"id": '), part(arguments='"PX1"}')]
    whole, streamed = await answers(engine := HalfReading(READABLE, pieces, reason="tool_calls"))
    assert whole == streamed == (BEFORE, [CALL], "tool_calls", usage(20, 5))
    assert len(engine.bodies) == 2


async def test_a_call_that_the_engine_streams_wrongly_is_read_from_the_text() -> None:
    pieces = [part(name="track"), part(arguments='{"id": "PX1"}, "name": "track"')]
    whole, streamed = await answers(engine := HalfReading(TURNED, pieces, reason="tool_calls"))
    assert whole == streamed == ("", [CALL], "tool_calls", usage(20, 5))
    assert len(engine.bodies) == 2


async def test_an_answer_that_is_only_calls_has_null_as_its_content() -> None:
    engine = HalfReading(TURNED)
    readable = ReadableCalls(engine, engine.text_of)
    answer = json.loads(await readable.complete({"messages": [], "tools": TOOLS}))
    message = answer["choices"][0]["message"]
    assert (message["content"], message["tool_calls"]) == (None, [CALL])


@pytest.mark.parametrize("text", [BROKEN, TWO])
async def test_what_cannot_be_read_is_asked_for_again(text: str) -> None:
    engine = HalfReading(text, [part(name="track", arguments="{")], second=CALL)
    whole, streamed = await answers(engine, seed=5)
    assert whole == streamed == (BEFORE, [CALL], "tool_calls", usage(50, 13))
    for body in engine.bodies[1::2]:
        assert (body["tool_choice"], body["stream"], body["seed"]) == ("required", False, 5)


@pytest.mark.parametrize("reason", ["stop", "tool_calls"])  # which vLLM says under required, of text too
async def test_what_cannot_be_read_twice_is_told_as_it_was_written(reason: str) -> None:
    for second in (None, {**CALL, "function": {"name": "track", "arguments": "[1]"}}):
        engine = HalfReading(BROKEN, second=second, reason=reason)
        whole, streamed = await answers(engine)
        assert (whole[0], streamed[0]) == (BROKEN, BROKEN)
        assert whole[1] == streamed[1] == []
        assert whole[2] == streamed[2] == "stop"


async def test_a_tag_in_a_text_of_a_call_ends_no_call() -> None:
    arguments = {"id": "</tool_call> <tool_call>"}
    written = BEFORE + f"<tool_call>{json.dumps({'name': 'track', 'arguments': arguments})}</tool_call>"
    engine = HalfReading(written)
    told = await answers(engine)
    assert len(engine.bodies) == 2  # neither was asked again
    for content, (call,), reason, _ in told:
        assert (content, reason, call["function"]["name"]) == (BEFORE, "tool_calls", "track")
        assert json.loads(call["function"]["arguments"]) == arguments


@pytest.mark.parametrize(
    ("cut", "calls"),
    [
        (READABLE[:-3], [("track", '{"id": "PX1"}')]),
        (READABLE[:-14], [("track", '{"id": "PX1"}')]),  # its last brace
        (READABLE[:-16], [("track", '{"id": "PX1')]),
        (READABLE[:-16] + "\ufffd", [("track", '{"id": "PX1')]),  # half a character
        (BEFORE + '<tool_call>\n{"name": "track", "arg', [("track", "")]),
        (BEFORE + '<tool_call>\n{"name": "tr', []),
        (
            READABLE + '\n<tool_call>{"name": "look", "arguments": {',
            [("track", '{"id": "PX1"}'), ("look", "{")],
        ),
    ],
)
@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "track"}}])
async def test_calls_that_were_cut_off_are_told_as_far_as_they_came(
    cut: str, calls: list[tuple[str, str]], choice: object
) -> None:
    engine = HalfReading(cut, reason="length", second=CALL)
    told = await answers(engine, tool_choice=choice)
    for content, found, reason, cost in told:
        assert (content, reason, cost) == (BEFORE, "length", usage(20, 5))
        assert [(call["function"]["name"], call["function"]["arguments"]) for call in found] == calls
    assert len(engine.bodies) == 2


async def test_a_call_that_is_whole_but_for_its_tag_was_not_cut() -> None:
    pieces = [part(name="track"), part(arguments='{"id": "PX1"}')]
    engine = HalfReading(UNCLOSED, pieces, reason="length")
    whole, streamed = await answers(engine)
    assert whole == streamed == (BEFORE, [CALL], "tool_calls", usage(20, 5))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [("auto", "tool_calls"), ({"type": "function", "function": {"name": "track"}}, "stop")],
)
async def test_a_stop_string_is_about_the_content_and_not_about_calls(choice: object, reason: str) -> None:
    engine = HalfReading(READABLE[:-20], second=CALL)
    whole, streamed = await answers(engine, tool_choice=choice, stop=["PX"])
    assert whole == streamed == (BEFORE, [CALL], reason, usage(50, 13))
    first, second = engine.bodies[:2]
    assert first["stop"] == ["PX"]
    assert "stop" not in second


async def test_answers_in_words_stay_as_they_are() -> None:
    whole, streamed = await answers(HalfReading("No tool is needed."))
    assert whole == streamed == ("No tool is needed.", [], "stop", usage(20, 5))


@pytest.mark.parametrize("more", [{"tools": []}, {"tools": TOOLS, "tool_choice": "none"}])
async def test_what_needs_no_reading_passes_untouched(more: dict[str, Any]) -> None:
    engine = HalfReading(BROKEN, second=CALL)
    readable = ReadableCalls(engine, engine.text_of)
    body = {"messages": [], **more}
    assert await readable.complete(body) == await engine.complete(body)
    assert [data async for data in readable.stream(body)] == [data async for data in engine.stream(body)]


async def test_an_engine_of_another_form_that_tells_no_text() -> None:
    async def refuse(_: Sequence[int]) -> str:
        raise EngineRefused(404, "no /detokenize")

    engine = HalfReading("", [part(name="track", arguments='{"id": "PX1"}')], reason="tool_calls")
    body = {"messages": [], "tools": TOOLS}
    data = b"".join([data async for data in ReadableCalls(engine, refuse).stream(body)])
    assert json.dumps(CALL["function"]).encode().replace(b" ", b"") in data.replace(b" ", b"")
    engine.pieces = [part(name="track", arguments='{"id":')]
    with pytest.raises(EngineAnswerError, match="can't be read"):
        _ = [data async for data in ReadableCalls(engine, refuse).stream(body)]


@pytest.mark.parametrize("arguments", ["", "[1]", '{"id":'])
async def test_calls_that_the_engine_read_wrongly_twice_are_told_as_they_were_written(arguments: str) -> None:
    """Whole and streamed: the text where the engine tells its tokens, else an error."""
    unread = {**CALL, "function": {"name": "track", "arguments": arguments}}
    written = f'<tool_call>{{"name": "track", "arguments": {arguments}}}</tool_call>'
    tokens = [*map(ord, written), END]

    class Misread(HalfReading):
        tells = True

        async def complete(self, body: Mapping[str, Any]) -> bytes:
            answer = json.loads(await super().complete(body))
            if "return_token_ids" in body and self.tells:
                answer["choices"][0]["token_ids"] = tokens
            if "return_token_ids" in body:
                answer["choices"][0]["message"] |= {"content": None, "tool_calls": [unread]}
            return json.dumps(answer).encode()

        async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
            async for data in super().stream(body):
                yield data if self.tells else data.replace(b'"token_ids"', b'"other"')

    engine = Misread(written, [part(name="track", arguments=arguments)], second=unread, reason="tool_calls")
    whole, streamed = await answers(engine)
    assert whole == streamed == (written, [], "stop", usage(50, 13))
    engine.tells = False
    readable, body = ReadableCalls(engine, engine.text_of), {"messages": [], "tools": TOOLS}
    with pytest.raises(EngineAnswerError, match="can't be read"):
        await readable.complete(body)
    with pytest.raises(EngineAnswerError, match="can't be read"):
        _ = [data async for data in readable.stream(body)]


async def test_what_a_second_try_reasons_is_counted_with_the_first() -> None:
    """By an engine that counts it: one with a parser of reasoning."""
    details = {"completion_tokens_details": {"reasoning_tokens": 3}}

    class Reasoning(HalfReading):
        async def complete(self, body: Mapping[str, Any]) -> bytes:
            answer = json.loads(await super().complete(body))
            return json.dumps({**answer, "usage": answer["usage"] | details}).encode()

    engine = Reasoning(BROKEN, second=CALL)
    answer = json.loads(
        await ReadableCalls(engine, engine.text_of).complete({"messages": [], "tools": TOOLS})
    )
    assert answer["usage"] == {**usage(50, 13), "completion_tokens_details": {"reasoning_tokens": 6}}
