"""Streams that other processes carry: the client and the engine see the same as without."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import psutil
import pytest

from service.engine import stream_workers
from service.engine.http_wire import HttpWire
from service.engine.straight import Straight
from service.engine.wire import Lent, Outlet, WireError
from tests.service.conftest import Running, Start, until

USER = {"role": "user", "content": "where is my parcel"}
WORDS = " ".join(map(str, range(3_000)))  # more than one read of a socket
CHAT = "/v1/chat/completions"


@pytest.fixture
async def carried(start: Start) -> AsyncGenerator[Running, None]:
    """A gateway with one stream worker."""
    async with start("gateway: {stream_workers: 1}\n") as running:
        await until(lambda: running.gateway.workers.alive == 1)
        yield running


def processes() -> list[psutil.Process]:
    """Those that carry."""
    return [one for one in psutil.Process().children() if "service.engine.stream_worker" in one.cmdline()]


def body(model: str = "support", **more: object) -> dict[str, object]:
    """A request that streams."""
    return {"model": model, "messages": [USER], "stream": True, **more}


async def read(running: Running, asked: dict[str, object], path: str = CHAT) -> bytes:
    """A stream's bytes, of which the engine gives the first, and the rest once that has come."""
    running.vllm.gate = asyncio.Event()
    async with running.http.stream("POST", path, json=asked) as response:
        assert response.status_code == 200
        pieces = response.aiter_raw()
        got = await anext(pieces)
        running.vllm.gate.set()
        return got + b"".join([piece async for piece in pieces])


async def at_rest(running: Running) -> None:
    """Until no slot and no lease is held."""
    await until(lambda: running.gateway.admission.running == 0 and running.desk.held == 0)


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of events were pending each time a connection was lent."""
    found: list[int] = []
    lend = stream_workers._lent

    async def noted(outlet: Outlet) -> Lent | None:
        if (given := await lend(outlet)) is not None:
            found.append(len(given.rest))
        return given

    monkeypatch.setattr(stream_workers, "_lent", noted)
    return found


@pytest.mark.parametrize("model", ["auto", "support", "pointsman-demo"])
async def test_the_bytes_are_the_engines_and_the_counts_the_gateways(
    carried: Running, lent: list[int], model: str
) -> None:
    carried.vllm.answer = lambda _: WORDS
    asked = body(model, stream_options={"include_usage": True})
    got = await read(carried, asked)
    await at_rest(carried)
    assert got == carried.vllm.sent[-1]
    assert lent
    metrics = (await carried.http.get("/metrics")).text
    (counted,) = (
        line for line in metrics.splitlines() if "pointsman_tokens_total{" in line and "completion" in line
    )
    assert counted.endswith(" 3000.0")


async def test_a_connection_is_used_again(carried: Running, lent: list[int]) -> None:
    carried.vllm.answer = lambda _: WORDS
    for path, asked in (
        (CHAT, body()),
        ("/v1/completions", {"model": "support", "prompt": "x", "stream": True}),
    ):
        assert await read(carried, asked, path) == carried.vllm.sent[-1]
    assert (await carried.http.get("/v1/models")).is_success
    assert len(lent) == 2


async def test_many_at_once_are_not_mixed_up(carried: Running, lent: list[int]) -> None:
    carried.vllm.answer = lambda asked: " ".join([asked["messages"][-1]["content"]] * 500)
    carried.vllm.gate = asyncio.Event()

    async def one(number: int) -> bytes:
        asked = body(messages=[{"role": "user", "content": f"n{number}"}])
        async with carried.http.stream("POST", CHAT, json=asked) as response:
            return b"".join([piece async for piece in response.aiter_raw()])

    tasks = [asyncio.create_task(one(number)) for number in range(20)]
    await until(lambda: len(carried.vllm.requests) == 20)
    carried.vllm.gate.set()
    for number, got in enumerate(await asyncio.gather(*tasks)):
        assert got.count(b"n%d" % number) >= 500
        assert got.endswith(b"data: [DONE]\n\n")
        assert got in carried.vllm.sent
    assert lent
    await at_rest(carried)


async def test_a_lease_is_held_until_the_last_byte(carried: Running) -> None:
    carried.vllm.gate = asyncio.Event()
    async with carried.http.stream("POST", CHAT, json=body()) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        await asyncio.sleep(0.1)
        assert (carried.gateway.admission.running, carried.desk.held) == (1, 1)
        carried.vllm.gate.set()
        _ = [piece async for piece in pieces]
    await at_rest(carried)


async def test_the_engine_hears_that_a_client_has_left(carried: Running, lent: list[int]) -> None:
    carried.vllm.gate = asyncio.Event()
    async with carried.http.stream("POST", CHAT, json=body()) as response:
        await anext(response.aiter_raw())
        await until(lambda: bool(lent))
    await at_rest(carried)
    await until(lambda: carried.vllm.aborted == 1)
    assert not carried.gateway.workers._workers[0].streams


async def test_an_engine_that_breaks_off_is_told_of(carried: Running, lent: list[int]) -> None:
    carried.vllm.answer = lambda _: WORDS
    carried.vllm.break_after, carried.vllm.cut = 1_000, 10
    got = await read(carried, body())
    assert lent
    *_, last, end = got.split(b"\n\n")
    assert end == b""
    assert b'"error":' in last
    await at_rest(carried)


async def test_a_refusal_is_the_engines(carried: Running) -> None:
    carried.vllm.refuse = (400, "not this")
    answer = await carried.http.post(CHAT, json=body())
    assert answer.status_code == 400
    assert "not this" in answer.json()["error"]["message"]
    await at_rest(carried)


async def test_a_worker_that_dies_takes_its_streams_alone(
    carried: Running, lent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_workers, "_RESTART_SECONDS", 0.05)
    carried.vllm.gate = asyncio.Event()
    async with carried.http.stream("POST", CHAT, json=body()) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        await until(lambda: bool(lent))
        os.kill(processes()[0].pid, signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError):  # it may have stopped in the middle of a chunk
            _ = [piece async for piece in pieces]
    await at_rest(carried)
    carried.vllm.gate = None
    assert (await carried.http.post(CHAT, json=body())).text.endswith("data: [DONE]\n\n")  # without one too
    await until(lambda: carried.gateway.workers.alive == 1)
    assert len(processes()) == 1


async def test_a_client_that_does_not_read_holds_the_engine_up_and_gets_all(carried: Running) -> None:
    carried.vllm.answer = lambda _: " ".join(["x" * 200_000] * 200)
    async with carried.http.stream("POST", CHAT, json=body()) as response:
        pieces = response.aiter_raw()
        got = [await anext(pieces)]
        await asyncio.sleep(0.5)
        assert not carried.vllm.sent  # 40 MB are more than all buffers on the way
        got += [piece async for piece in pieces]
    assert b"".join(got) == carried.vllm.sent[-1]


async def test_who_knows_no_chunks_gets_all(carried: Running) -> None:
    carried.vllm.answer = lambda _: WORDS
    sent = httpx.Request("POST", "http://x/", json=body()).content
    head = f"POST {CHAT} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(carried.url.rpartition(":")[2]))
    writer.write(head.encode() + sent)
    got = await reader.read()
    assert got.partition(b"\r\n\r\n")[2] == carried.vllm.sent[-1]
    writer.close()


async def test_no_process_is_left(start: Start) -> None:
    async with start("gateway: {stream_workers: 2}\n") as running:
        await until(lambda: running.gateway.workers.alive == 2)
        found = [
            one for one in psutil.Process().children() if any("stream_worker" in w for w in one.cmdline())
        ]
        assert len(found) == 2
    assert not [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


async def test_a_client_that_keeps_up_badly_gets_every_byte_once() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    straight = Straight(ours, b"data: 1")
    loop = asyncio.get_running_loop()
    reading: list[bytes] = []

    async def slowly() -> None:
        while data := await loop.sock_recv(theirs, 50_000):
            reading.append(data)
            await asyncio.sleep(0)

    reader = asyncio.create_task(slowly())
    event = b"data: " + b"x" * 400_000 + b"\n\n"
    for piece in (b"\n\n", *[event] * 5):
        while not straight.take(piece):
            await straight.flush()
    await straight.flush()
    straight.close()
    await reader
    theirs.close()
    assert b"".join(reading) == b"9\r\ndata: 1\n\n\r\n" + 5 * (b"%x\r\n%b\r\n" % (len(event), event))


def raw(running: Running) -> socket.socket:
    """A client that has sent a request and reads nothing by itself."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect(("127.0.0.1", int(running.url.rpartition(":")[2])))
    sent = httpx.Request("POST", "http://x/", json=body()).content
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(sent)}\r\n\r\n"
    found.sendall(head.encode() + sent)
    return found


@pytest.mark.parametrize("tail", [b": tail", b"data: [DONE]\n", b""])
@pytest.mark.parametrize("workers", [0, 1])
async def test_an_answer_that_ends_otherwise_ends(
    start: Start, monkeypatch: pytest.MonkeyPatch, tail: bytes, workers: int
) -> None:
    async with start(f"gateway: {{stream_workers: {workers}}}\n") as running:
        await until(lambda: running.gateway.workers.alive == workers)
        given = running.vllm._stream

        async def otherwise(asked: dict[str, object], chat: bool) -> AsyncGenerator[bytes, None]:
            async for piece in given(asked, chat):
                yield piece if b"[DONE]" not in piece else tail

        monkeypatch.setattr(running.vllm, "_stream", otherwise)
        got = await read(running, body())
        await at_rest(running)
        ended = got.endswith(b"data: [DONE]\n") if b"DONE" in tail else b'"error":' in got.split(b"\n\n")[-2]
        assert ended


@pytest.mark.parametrize("how", ["killed", "late"])
async def test_nothing_is_written_behind_half_a_chunk(
    start: Start, lent: list[int], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(stream_workers, "_RESTART_SECONDS", 0.05)
    seconds = 2 if how == "late" else 60
    async with start(f"gateway: {{stream_workers: 1, request_timeout_seconds: {seconds}}}\n") as running:
        await until(lambda: running.gateway.workers.alive == 1)
        running.vllm.answer = lambda _: " ".join(["x" * 200_000] * 100)
        client = raw(running)
        await until(lambda: bool(lent))
        await asyncio.sleep(0.3)  # until nothing more can be written
        if how == "killed":
            os.kill(processes()[0].pid, signal.SIGKILL)
        await at_rest(running)
        client.setblocking(False)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while data := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
                got += data
        client.close()
        assert b'"error":' not in got
        assert not got.endswith(b"0\r\n\r\n")


async def test_who_leaves_before_his_worker_looks_holds_nothing(carried: Running) -> None:
    await carried.http.post(CHAT, json=body())
    process = processes()[0]
    process.suspend()
    client = raw(carried)
    await until(lambda: bool(carried.gateway.workers._workers[0].streams))
    client.close()
    await asyncio.sleep(0.1)
    process.resume()
    async with asyncio.timeout(stream_workers._OVER_SECONDS / 2):
        await at_rest(carried)


async def test_who_has_left_behind_many_requests_is_noticed(
    carried: Running, lent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = carried.vllm._stream

    async def slowly(asked: dict[str, object], chat: bool) -> AsyncGenerator[bytes, None]:
        async for piece in given(asked, chat):
            yield piece
            await asyncio.sleep(0.02)

    monkeypatch.setattr(carried.vllm, "_stream", slowly)
    carried.vllm.answer = lambda _: WORDS
    client = raw(carried)
    await until(lambda: bool(lent))
    client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" * 40)
    await asyncio.sleep(0.2)
    client.close()
    async with asyncio.timeout(10):  # of a minute that the answer takes
        await at_rest(carried)
    await until(lambda: carried.vllm.aborted == 1)


async def test_a_worker_that_can_not_be_started_is_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_workers, "_RESTART_SECONDS", 0.05)
    begin, tries = subprocess.Popen, list[int]()

    def failing(*words: Any, **options: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(24, "Too many open files")
        return begin(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", failing)
    async with start("gateway: {stream_workers: 1}\n") as running:
        assert (await running.http.post(CHAT, json=body())).text.endswith("data: [DONE]\n\n")
        await until(lambda: running.gateway.workers.alive == 1)
        assert len(tries) == 2


async def test_what_a_worker_stumbles_over_is_an_error(carried: Running) -> None:
    wire = carried.gateway.workers.wire("http://[::1", None, HttpWire("http://127.0.0.1:9"))
    with pytest.raises(WireError, match="Invalid IPv6"):
        async with asyncio.timeout(5), wire.ask("POST", "/", b"{}"):
            pass
