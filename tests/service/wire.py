"""Bytes sent as they are, and what is answered."""

from __future__ import annotations

import asyncio

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

HEAD = b"POST /v1/route HTTP/1.1\r\nhost: x\r\n"


async def exchanged(url: str, *pieces: bytes) -> tuple[int, dict[str, str], dict[str, str]]:
    """Status, headers and error of what is answered to ``pieces``, which are sent one by one."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        head, _, rest = (await reader.readuntil(b"\r\n\r\n")).decode().partition("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest.strip().split("\r\n"))
        body = orjson.loads(await reader.readexactly(int(headers["content-length"])))
        return int(head.split()[1]), headers, body["error"]
    finally:
        writer.close()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what came as the body, in the form of an error."""
    request = Request(scope, receive)
    text = (await request.body()).decode()
    await JSONResponse({"error": {"message": text}})(scope, receive, send)


async def read_answers(url: str, *pieces: bytes) -> list[bytes]:
    """The status and body of each answer to ``pieces``, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    answers = []
    while head := (await reader.read(1)):
        head += await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        answers.append(head[9:12] + b" " + await reader.readexactly(size))
    writer.close()
    return answers
