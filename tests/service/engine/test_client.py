"""What vLLM and the network do, as the service sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from itertools import chain

import orjson
import pytest

import service.engine.client
from service.engine import EngineClient
from service.engine.wire import Taker
from service.errors import EngineRefused, EngineUnavailable
from tests.service.conftest import until
from tests.service.engine.outlets import Own
from tests.service.fake_vllm import BASE, FakeVLLM
from tests.service.loopback import serving

CHAT = "/v1/chat/completions"
BODY = {"model": BASE, "messages": [{"role": "user", "content": "good morning"}]}


@pytest.fixture
async def vllm() -> FakeVLLM:
    return FakeVLLM()


@pytest.fixture
async def client(vllm: FakeVLLM) -> AsyncGenerator[EngineClient, None]:
    async with serving(vllm.app) as url:
        found = EngineClient(url + "/v1/")
        yield found
        await found.aclose()


class Canned:
    """A wire whose every answer has these pieces."""

    def __init__(self, status: int, pieces: tuple[bytes, ...]) -> None:
        self.status = status
        self._pieces = pieces

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[Canned, None]:
        self._left = iter(self._pieces)
        yield self

    async def next(self) -> bytes:
        return next(self._left, b"")

    async def pour(self, taker: Taker) -> None:
        for piece in self._left:
            if not taker.take(piece):
                self._left = chain([piece], self._left)
                return

    def close(self) -> None:
        pass

    def cut(self) -> None:
        pass


def answering(*pieces: bytes, status: int = 200) -> EngineClient:
    """A client of a server that always answers with these bytes, cut like this."""
    return EngineClient("http://engine", wire=Canned(status, pieces))


async def collect(client: EngineClient) -> bytes:
    return b"".join([chunk async for chunk in client.stream(CHAT, {**BODY, "stream": True})])


async def test_passes_answers_on_byte_for_byte(client: EngineClient, vllm: FakeVLLM) -> None:
    whole = await client.complete(CHAT, BODY)
    streamed = await collect(client)
    assert [whole, streamed] == vllm.sent
    assert b"heard good morning" in whole


async def test_tells_the_engines_own_refusal(client: EngineClient, vllm: FakeVLLM) -> None:
    vllm.refuse = (400, "max_tokens is too large: 9000")
    with pytest.raises(EngineRefused, match="max_tokens is too large: 9000") as refused:
        await client.complete(CHAT, BODY)
    assert refused.value.status == 400
    with pytest.raises(EngineRefused, match="max_tokens is too large"):
        await collect(client)


async def test_keeps_the_reason_of_a_failure_for_the_log(
    client: EngineClient, vllm: FakeVLLM, caplog: pytest.LogCaptureFixture
) -> None:
    vllm.refuse, vllm.healthy = (500, "CUDA error in /opt/kernels/attention.cu"), False
    with pytest.raises(EngineUnavailable) as failed:
        await client.complete(CHAT, BODY)
    assert "kernels" not in str(failed.value)
    assert "CUDA error in /opt/kernels" in caplog.text


@pytest.mark.parametrize(
    ("message", "expected"), [("'str' has no 'get'", EngineRefused), ("EngineCore died", EngineUnavailable)]
)
async def test_a_500_of_an_engine_that_lives_is_about_the_request(
    client: EngineClient, vllm: FakeVLLM, message: str, expected: type[Exception]
) -> None:
    vllm.refuse = (500, message)
    with pytest.raises(expected):
        await client.complete(CHAT, BODY)
    with pytest.raises(expected):
        await collect(client)
    vllm.refuse, vllm.error_event = None, (500, message)
    with pytest.raises(expected):
        await collect(client)


async def test_leaves_tracebacks_out_of_messages() -> None:
    error = {"error": {"message": "bad schema\nTraceback (most recent call last):\n  File 'x.py'"}}
    with pytest.raises(EngineRefused) as refused:
        await answering(orjson.dumps(error), status=400).complete(CHAT, BODY)
    assert str(refused.value) == "bad schema"


async def test_a_key_that_the_engine_refuses_is_not_the_clients_fault() -> None:
    with pytest.raises(EngineUnavailable, match="key"):
        await answering(b'{"error": "Unauthorized"}', status=401).complete(CHAT, BODY)


async def test_nobody_at_the_address() -> None:
    client = EngineClient("http://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match="can't be reached"):
        await client.complete(CHAT, BODY)
    with pytest.raises(EngineUnavailable, match="can't be reached"):
        await collect(client)
    assert not await client.healthy()


async def test_a_stream_that_breaks_gives_what_came_and_then_the_error(
    client: EngineClient, vllm: FakeVLLM
) -> None:
    vllm.break_after = 2
    got: list[bytes] = []

    async def read() -> None:
        async for chunk in client.stream(CHAT, {**BODY, "stream": True}):
            got.append(chunk)

    with pytest.raises(EngineUnavailable, match="broke"):
        await read()
    assert b'"content":""' in b"".join(got)


@pytest.mark.parametrize(
    ("code", "expected"), [(400, EngineRefused), (500, EngineUnavailable), (503, EngineUnavailable)]
)
async def test_an_error_event_is_an_error(
    client: EngineClient, vllm: FakeVLLM, code: int, expected: type[Exception]
) -> None:
    vllm.error_event, vllm.healthy = (code, "something"), False
    with pytest.raises(expected):
        await collect(client)


@pytest.mark.parametrize("cut", range(1, 40))
async def test_an_error_event_is_found_wherever_it_is_cut(cut: int) -> None:
    text = b'data: {"a":1}\n\ndata: {"error": {"message": "no", "code": 400}}\n\ndata: [DONE]\n\n'
    with pytest.raises(EngineRefused, match="no"):
        await collect(answering(text[:cut], text[cut:]))


OPENS = b'data: {"choices":[{"index":%d,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'


@pytest.mark.parametrize("choices", [1, 3])
async def test_a_refusal_behind_the_chunks_that_open_an_answer_is_the_first_that_is_said(
    choices: int,
) -> None:
    opening = [OPENS % index for index in range(choices)]
    for pieces in (opening, [b"".join(opening)], [opening[0][:50], opening[0][50:], *opening[1:]]):
        got: list[bytes] = []
        client = answering(*pieces, b'data: {"error": {"message": "no", "code": 400}}\n\n')
        with pytest.raises(EngineRefused, match="no"):
            got += [chunk async for chunk in client.stream(CHAT, BODY)]
        assert got == []
    said = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    pieces = [*opening, said, b"data: [DONE]\n\n"]
    given = [chunk async for chunk in answering(*pieces).stream(CHAT, BODY)]
    assert given == [b"".join([*opening, said]), b"data: [DONE]\n\n"]


SAID = OPENS % 0 + b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
FAILED = b'data: {"error": {"message": "no", "code": 400}}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("cut", range(0, len(SAID + FAILED) + 1, 5))
async def test_what_was_said_before_an_error_event_is_given_wherever_it_is_cut(cut: int) -> None:
    whole, got = SAID + FAILED, list[bytes]()
    client = answering(*filter(None, (whole[:cut], whole[cut:])))

    async def read() -> None:
        async for chunk in client.stream(CHAT, BODY):
            got.append(chunk)

    with pytest.raises(EngineRefused, match="no"):
        await read()
    assert b"".join(got)[: len(SAID)] == SAID
    assert b"no" not in b"".join(got)
    assert all(got)


@pytest.mark.parametrize("cut", range(15, 40))
async def test_an_error_event_is_found_in_what_is_poured_too(cut: int) -> None:
    before, poured = b'data: {"a":1}\n\n', list[bytes]()

    def outlet(data: bytes) -> bool:
        poured.append(data)
        return True

    text = before + b'data: {"error": {"message": "no", "code": 400}}\n\ndata: [DONE]\n\n'
    client = answering(before, text[len(before) : cut], text[cut:])
    with pytest.raises(EngineRefused, match="no"):
        _ = [chunk async for chunk in client.stream(CHAT, BODY, Own(outlet))]
    assert b'"error":' not in b"".join(poured)


async def test_what_is_poured_is_not_given_again_and_the_end_is_looked_for_in_it() -> None:
    pieces, poured = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n", b"data: [DO", b"NE]\n\n"], list[bytes]()

    def outlet(data: bytes) -> bool:
        if data == pieces[2]:
            return False
        poured.append(data)
        return True

    client = answering(*pieces)
    given = [chunk async for chunk in client.stream(CHAT, BODY, Own(outlet))]
    assert given == [pieces[0], pieces[2]]
    assert poured == [pieces[1], pieces[3], pieces[4]]
    assert client.heard >= len(pieces)  # what is poured is no silence either
    with pytest.raises(EngineUnavailable, match="in the middle"):
        _ = [chunk async for chunk in answering(*pieces[:4]).stream(CHAT, BODY, Own(outlet))]


async def test_text_that_looks_like_an_error_event_is_text() -> None:
    said = 'the stream says\ndata: {"error": 1}'
    event = b"data: " + orjson.dumps({"choices": [{"delta": {"content": said}}]}) + b"\n\n"
    whole = event + b"data: [DONE]\n\n"
    assert await collect(answering(whole)) == whole


async def test_a_stream_without_its_end_is_broken() -> None:
    with pytest.raises(EngineUnavailable, match="in the middle"):
        await collect(answering(b'data: {"choices": []}\n\n'))


async def test_closing_a_stream_aborts_the_request(client: EngineClient, vllm: FakeVLLM) -> None:
    vllm.gate = asyncio.Event()
    async with aclosing(client.stream(CHAT, {**BODY, "stream": True})) as chunks:
        await anext(chunks)
        assert client.calls == 1
    assert client.calls == 0
    await until(lambda: vllm.aborted == 1)


async def test_what_is_read_and_does_not_come_is_the_servers_fault(
    client: EngineClient, vllm: FakeVLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.engine.client, "_PROBE_SECONDS", 0.05)
    vllm.models_wait = asyncio.Event()
    with pytest.raises(
        EngineUnavailable, match=r"127\.0\.0\.1:\d+ has not answered GET /v1/models within 0\.05 s"
    ):
        await client.models()
    vllm.models_wait.set()
    assert await client.models() == {BASE}


@pytest.mark.parametrize(
    "answer", [b"<html>Bad gateway</html>", b"", b"[]", b'{"error": 1}', b'{"data": 3}', b'{"data": [{}]}']
)
async def test_an_answer_that_is_no_list_of_models_is_told_with_its_server(answer: bytes) -> None:
    client = EngineClient("http://me:secret@engine/v1", wire=Canned(200, (answer,)))
    with pytest.raises(EngineUnavailable) as told:
        await client.models()
    assert str(told.value).startswith("http://engine answered GET /v1/models with no ")
    assert str(told.value).endswith(repr(answer.decode().replace(": ", ":")))


async def test_numbers_that_are_no_text_are_told() -> None:
    with pytest.raises(EngineUnavailable, match="http://engine answered GET /metrics with no text"):
        await answering(b"\xff\xfe").text("/metrics")


async def test_adapters_are_loaded_and_unloaded_by_name(client: EngineClient, vllm: FakeVLLM) -> None:
    await client.load_adapter("chat@0123456789ab", "/some/where")
    assert await client.models() == {BASE, "chat@0123456789ab"}
    assert vllm.loads == [{"lora_name": "chat@0123456789ab", "lora_path": "/some/where"}]
    await client.unload_adapter("chat@0123456789ab")
    await client.unload_adapter("chat@0123456789ab")  # not there any more: fine
    assert await client.models() == {BASE}


async def test_a_500_for_a_load_is_about_the_adapter_unless_the_engine_died() -> None:
    rank = orjson.dumps({"error": {"message": "LoRA rank 64 is greater than max_lora_rank 16.", "code": 500}})
    with pytest.raises(EngineRefused, match="rank 64 is greater"):
        await answering(rank, status=500).load_adapter("a@0123456789ab", "/x")
    dead = orjson.dumps({"error": {"message": "EngineCore encountered an issue.", "code": 500}})
    with pytest.raises(EngineUnavailable):
        await answering(dead, status=500).load_adapter("a@0123456789ab", "/x")
