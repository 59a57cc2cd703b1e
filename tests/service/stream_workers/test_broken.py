"""Streams that other processes carry and that end otherwise: by a client, an engine or a worker that goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson
import pytest

from service.engine import carried as carried_module
from service.engine import stream_workers
from service.engine.http_wire import HttpWire
from service.engine.wire import WireError
from tests.service.conftest import Running, Start, until
from tests.service.stream_workers.carrying import CHAT, WORDS, at_rest, body, processes, raw, read


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


@pytest.mark.parametrize("first", [0, 1, 4])
@pytest.mark.parametrize("workers", [0, 1])
async def test_text_that_comes_in_one_read_with_an_error_event_is_told_before_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, workers: int, first: int
) -> None:
    """Of the six chunks before the error ``first`` come one by one, and the rest with it."""
    async with start(f"gateway: {{stream_workers: {workers}}}\n") as running:
        await until(lambda: running.gateway.workers.alive == workers)
        given = running.vllm._stream

        async def joined(asked: dict[str, object], chat: bool) -> AsyncGenerator[bytes, None]:
            pieces = [piece async for piece in given(asked, chat)]
            for piece in pieces[:first]:
                yield piece
                await asyncio.sleep(0.05)
            yield b"".join(pieces[first:6]) + b'data: {"error":{"message":"boom","code":500}}\n\n'

        running.vllm.answer = lambda _: WORDS
        monkeypatch.setattr(running.vllm, "_stream", joined)
        answer = await running.http.post(CHAT, json=body())
        *said, error, _ = answer.text.split("\n\n")
        text = "".join(orjson.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in said)
        assert (answer.status_code, text) == (200, "0 1 2 3 4")
        assert '"error":' in error
        await at_rest(running)


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
    async with asyncio.timeout(carried_module._OVER_SECONDS / 2):
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
