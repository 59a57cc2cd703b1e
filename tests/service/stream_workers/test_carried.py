"""Streams that other processes carry: the client and the engine see the same as without."""

from __future__ import annotations

import asyncio
import socket

import httpx
import psutil
import pytest

from service.engine.straight import Straight
from tests.service.conftest import Running, Start, until
from tests.service.stream_workers.carrying import CHAT, WORDS, at_rest, body, read


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
            pieces = response.aiter_raw()
            got = await anext(pieces)
            begun.append(number)
            return got + b"".join([piece async for piece in pieces])

    begun: list[int] = []
    tasks = [asyncio.create_task(one(number)) for number in range(20)]
    await until(lambda: len(begun) == 20 and bool(lent))
    carried.vllm.gate.set()
    for number, got in enumerate(await asyncio.gather(*tasks)):
        assert got.count(b"n%d" % number) >= 500
        assert got.endswith(b"data: [DONE]\n\n")
        assert got in carried.vllm.sent
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


async def test_a_refusal_is_the_engines(carried: Running) -> None:
    carried.vllm.refuse = (400, "not this")
    answer = await carried.http.post(CHAT, json=body())
    assert answer.status_code == 400
    assert "not this" in answer.json()["error"]["message"]
    await at_rest(carried)


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
