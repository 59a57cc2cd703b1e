"""A gateway whose streams other processes carry: what is asked of it, and what is left of them."""

from __future__ import annotations

import asyncio
import socket

import httpx
import psutil

from tests.service.conftest import Running, until

USER = {"role": "user", "content": "where is my parcel"}
WORDS = " ".join(map(str, range(3_000)))  # more than one read of a socket
CHAT = "/v1/chat/completions"


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


def raw(running: Running) -> socket.socket:
    """A client that has sent a request and reads nothing by itself."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect(("127.0.0.1", int(running.url.rpartition(":")[2])))
    sent = httpx.Request("POST", "http://x/", json=body()).content
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(sent)}\r\n\r\n"
    found.sendall(head.encode() + sent)
    return found
