"""Requests that are sent before the one ahead is answered."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service.protocol import Protocol
from tests.service.loopback import serving
from tests.service.wire import HEAD, echo, read_answers


async def patient(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a moment later with the path."""
    body = await Request(scope, receive).body()
    await asyncio.sleep(0.1)
    text = scope["path"].encode() + body
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]}
    )
    await send({"type": "http.response.body", "body": text[:2], "more_body": True})
    await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": text[2:], "more_body": False})


GET = b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n"
BROKEN = HEAD + b"transfer-encoding: chunked\r\n\r\n", b"5\r\nhello\r\nzz\r\n"


@pytest.mark.parametrize(
    "behind",
    [
        (b"GARBAGE\r\n\r\n",),
        (b"GET /c HTTP/1.1\r\n\r\n",),
        (b"GARB", b"AGE\r\n\r\n"),
        (HEAD + b"x-a: " + b"a" * 70_000,),
        BROKEN,
        (b"".join(BROKEN),),
    ],
    ids=["garbage", "no host", "in pieces", "a long head", "a broken body", "at once"],
)
@pytest.mark.parametrize("apart", [True, False])
async def test_what_is_refused_behind_a_request_is_refused_behind_its_answer(
    behind: tuple[bytes, ...], apart: bool
) -> None:
    before = GET % b"a", GET % b"b"
    pieces = (*before, *behind) if apart else (b"".join((*before, *behind)),)
    async with serving(patient, http=Protocol) as url:
        first, second, refused = await read_answers(url, *pieces)
    assert (first, second) == (b"200 /a", b"200 /b")
    assert refused[:3] in (b"400", b"431")
    assert b'"error"' in refused


async def test_a_client_that_leaves_with_requests_behind_has_left() -> None:
    left = asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        assert scope["path"] == "/first"
        left.set()

    async with serving(waiting, http=Protocol) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(GET % b"first" + GET % b"second" + GET % b"third")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(left.wait(), 10)


async def test_many_requests_at_once_are_answered_in_their_order() -> None:
    async with serving(echo, http=Protocol) as url:
        told = HEAD + b"content-length: 3\r\n\r\n%d"
        last = HEAD + b"connection: close\r\ncontent-length: 3\r\n\r\n140"
        answers = await read_answers(url, b"".join(told % n for n in range(100, 140)) + last)
    assert [json.loads(answer[4:])["error"]["message"] for answer in answers] == [
        str(n) for n in range(100, 141)
    ]
