"""Bytes sent as they are, and what is answered."""

from __future__ import annotations

import asyncio

import orjson


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
