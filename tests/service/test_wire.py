"""What comes over the wire and is no request, and requests of old and odd clients."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncGenerator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from service.protocol import Protocol
from tests.service.loopback import serving
from tests.service.wire import HEAD, echo, exchanged, read_answers


@pytest.fixture
async def url() -> AsyncGenerator[str, None]:
    """A server whose application is never reached."""
    async with serving(None, http=Protocol) as found:
        yield found


NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,  # TLS
    b"BREW /v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nhost: x\r\nHost: y\r\n\r\n",
    HEAD + b"content-length: -5\r\n\r\n",
    HEAD + b"content-length: 99999999999999999999\r\n\r\n",
    HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("sent", NO_HTTP, ids=range(len(NO_HTTP)))
async def test_what_is_no_http_gets_the_error_form(url: str, sent: bytes) -> None:
    status, headers, error = await exchanged(url, sent)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert headers["connection"] == "close"
    assert error["code"] == "invalid_http"
    assert set(error) == {"message", "type", "param", "code"}


async def test_a_body_in_another_coding_is_refused_by_its_name(url: str) -> None:
    _, _, error = await exchanged(url, HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    assert "transfer-encoding" in error["message"]


async def test_headers_have_a_bound(url: str) -> None:
    status, _, error = await exchanged(url, HEAD + b"x-a: " + b"a" * 70_000 + b"\r\n\r\n")
    assert (status, error["code"]) == (431, "headers_too_large")
    many = b"".join(b"x-%d: y\r\n" % n for n in range(9_000))
    assert (await exchanged(url, HEAD + many + b"\r\n"))[0] == 431
    assert (await exchanged(url, HEAD, b"x-a: ", *[b"a" * 40_000] * 2))[0] == 431  # without an end


async def test_a_refusal_is_read_by_who_goes_on_sending(url: str) -> None:
    """Closed over unread bytes, the connection would be reset under it."""
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                writer.write(HEAD + b"x-a: " + b"a" * 100_000)
                await asyncio.sleep(0)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 431")
        assert b'"headers_too_large"' in await reader.read()
        writer.close()


async def test_an_offer_of_another_protocol_is_passed_over() -> None:
    """Java's client makes one with its first request."""
    offer = HEAD + b"connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    sized = offer + b"content-length: 5\r\n\r\n"
    chunked = offer + b"transfer-encoding: chunked\r\n\r\n"
    async with serving(echo, http=Protocol) as url:
        for pieces in (
            [sized + b"hello"],
            [sized, b"hello"],
            [HEAD, sized.removeprefix(HEAD), b"he", b"llo"],
            [chunked, b"5\r\nhello\r\n", b"0\r\n\r\n"],
            [(sized + b"hello")[at : at + 1] for at in range(len(sized) + 5)],
            *([sized[:at], sized[at:], b"hello"] for at in range(len(HEAD), len(sized))),
        ):
            status, _, found = await exchanged(url, *pieces)
            assert (status, found["message"]) == (200, "hello")


async def test_a_request_that_is_over_is_gone_without_a_look_for_garbage() -> None:
    class Mark:
        """Kept as long as its request."""

    seen: list[weakref.ref[Mark]] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        scope["mark"] = mark = Mark()
        seen.append(weakref.ref(mark))
        await told(scope, receive, send)

    gc.collect()
    gc.disable()
    try:
        async with serving(watched, http=Protocol) as url, httpx.AsyncClient(base_url=url) as http:
            for _ in range(3):
                assert (await http.get("/stream")).content == b"data: hello"
            left = [one() is None for one in seen]
            assert left == [True, True, False]  # the connection knows its last
    finally:
        gc.enable()


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers in two pieces of unknown size, or of a known one."""
    sized = [(b"content-length", b"11")] if scope["path"] == "/sized" else []
    await send({"type": "http.response.start", "status": 200, "headers": sized})
    await send({"type": "http.response.body", "body": b"data: ", "more_body": True})
    await send({"type": "http.response.body", "body": b"hello", "more_body": False})


@pytest.mark.parametrize("path", [b"/stream", b"/sized"])
async def test_an_old_client_gets_no_chunks_and_the_end_of_the_connection(path: bytes) -> None:
    async with serving(told, http=Protocol) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET " + path + b" HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert body == b"data: hello"
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert (b"content-length: 11" in head) == (path == b"/sized")


async def test_a_client_that_closes_its_half_has_left() -> None:
    """What most servers take it for: it can't be told from one that has gone."""
    left = asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with serving(waiting, http=Protocol) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.write_eof()
        await asyncio.wait_for(left.wait(), 10)
        writer.close()


async def test_a_head_that_stays_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.protocol._HEAD_SECONDS", 0.3)
    async with serving(echo, http=Protocol) as url:
        for half in (b"G", HEAD, HEAD + b"x-a"):
            status, headers, error = await exchanged(url, half)
            assert (status, error["code"]) == (408, "request_timeout")
            assert headers["connection"] == "close"
        first, late = await read_answers(url, HEAD + b"content-length: 2\r\n\r\nhi", b"GET")
        assert (first[:3], late[:3]) == (b"200", b"408")
        assert await read_answers(url) == []  # nothing at all
        assert await read_answers(url, b"\r\n") == []
        slow = HEAD + b"connection: close\r\ncontent-length: 20\r\n\r\n" + b"a" * 20
        (answer,) = await read_answers(url, slow[:-20], *[b"a"] * 20)  # a body has a bound of its own
        assert answer[:3] == b"200"
