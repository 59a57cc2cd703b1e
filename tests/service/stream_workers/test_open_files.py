"""A worker that may open no file more: nobody loses an answer, and it works on."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from service.engine import http_wire
from service.engine.channel import Channel, Kind
from service.engine.stream_worker import _Worker
from tests.service.conftest import Running, until
from tests.service.fake_vllm import FakeVLLM
from tests.service.loopback import serving
from tests.service.stream_workers.carrying import CHAT, WORDS, at_rest, body, processes, read


@contextmanager
def no_file_more() -> Generator[None, None, None]:
    """The worker keeps what it has open, and gets nothing more."""
    pid = processes()[0].pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


async def whole(running: Running) -> bytes:
    """A stream as a client gets it."""
    return (await running.http.post(CHAT, json=body())).content


async def test_an_answer_goes_the_gateways_way_where_a_worker_can_not_ask_for_it(
    carried: Running, lent: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    carried.vllm.answer = lambda _: WORDS
    pid = processes()[0].pid
    with no_file_more(), caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert await read(carried, body()) == carried.vllm.sent[-1]
    assert not lent
    assert [one.message.partition(",")[0] for one in caplog.records] == [
        "no open file is left for a stream worker"
    ]
    assert len(carried.vllm.sent) == 3  # each was asked for once
    await at_rest(carried)
    assert await read(carried, body()) == carried.vllm.sent[-1]
    assert lent
    assert [one.pid for one in processes()] == [pid]


async def test_a_middle_passes_the_gateway_where_its_connection_can_not_be_lent(
    carried: Running, lent: list[int]
) -> None:
    carried.vllm.answer = lambda _: WORDS
    assert await read(carried, body()) == carried.vllm.sent[-1]
    assert len(lent) == 1
    with no_file_more():  # the worker's connection to the engine is kept, and used again
        assert await read(carried, body()) == carried.vllm.sent[-1]
        assert len(lent) == 2  # tried once, with whole or half an event
        assert await read(carried, body()) == carried.vllm.sent[-1]
    assert await read(carried, body()) == carried.vllm.sent[-1]
    assert len(lent) == 4
    assert carried.gateway.workers.alive == 1
    await at_rest(carried)


async def test_who_is_carried_already_does_not_notice(carried: Running, lent: list[int]) -> None:
    carried.vllm.answer = lambda _: WORDS
    carried.vllm.gate = gate = asyncio.Event()
    async with carried.http.stream("POST", CHAT, json=body()) as response:
        pieces = response.aiter_raw()
        got = await anext(pieces)
        await until(lambda: bool(lent))
        with no_file_more():
            carried.vllm.gate = None
            assert await whole(carried) == carried.vllm.sent[-1]
            gate.set()
            got += b"".join([piece async for piece in pieces])
    assert got == carried.vllm.sent[-1]
    assert len(lent) == 1
    await at_rest(carried)


async def test_an_answer_is_not_lost_where_the_gateway_has_no_file_to_lend(
    carried: Running, lent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dup(_: int) -> int:
        raise OSError(24, "Too many open files")

    carried.vllm.answer = lambda _: WORDS
    monkeypatch.setattr(os, "dup", dup)
    assert await read(carried, body()) == carried.vllm.sent[-1]
    assert len(lent) == 1
    await at_rest(carried)


async def test_a_server_that_nobody_asks_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker in this process: while its stream runs it keeps the server, and after that not for long."""
    told: list[Kind] = []
    ours, theirs = socket.socketpair()
    channel = Channel(ours, lambda kind, *_: told.append(kind), lambda: None)
    worker = _Worker(theirs)
    vllm = FakeVLLM(models={"support"})
    async with serving(vllm.app) as url:
        head = f'{{"url": "{url}", "key": null, "path": "{CHAT}"}}\n'.encode()
        channel.send(Kind.ASK, 1, head + b'{"model": "support", "messages": [], "stream": true}')
        await until(lambda: Kind.HEAD in told)
        monkeypatch.setattr(http_wire, "_IDLE_SECONDS", 0.0)
        worker.tidy()
        assert len(worker._wires) == 1
        while Kind.OVER not in told:
            channel.send(Kind.NEXT, 1)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        worker.tidy()
        assert not worker._wires
    channel.close()
    await worker.ended.wait()
