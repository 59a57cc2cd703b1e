"""A body that does not come, or not whole, is not waited for, and leaves no half behind."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.service.conftest import Start
from tests.service.wire import HEAD, exchanged, read_answers


async def test_a_body_that_stays_away_is_not_waited_for_longer_than_for_an_answer(start: Start) -> None:
    async with start("gateway: {request_timeout_seconds: 0.2}\n") as running:
        half = HEAD + b'content-length: 100\r\n\r\n{"text'
        status, headers, error = await exchanged(running.url, half)
    assert (status, error["code"]) == (408, "request_timeout")
    assert "6 bytes had come, and after 0.2 s no more" in error["message"]
    assert headers["x-request-id"]


async def test_a_body_that_comes_to_a_stop_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.middleware._PAUSE_SECONDS", 0.3)
    body = b'{"text": "where is my parcel"}'
    head = HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with start("") as running:
        status, _, error = await exchanged(running.url, head + body[:6])
        assert (status, error["code"]) == (408, "request_timeout")
        assert "6 bytes had come, and 0.3 s later no more" in error["message"]
        (answer,) = await read_answers(running.url, head, *(body[at : at + 1] for at in range(len(body))))
        assert answer.startswith(b"200")  # slow, and never at a stop


async def test_after_half_a_body_the_connection_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its answer could be read, and though its client goes on sending."""
    monkeypatch.setattr("service.api.middleware._LINGER_SECONDS", 0.2)
    for pauses in (False, True):
        monkeypatch.setattr("service.api.middleware._PAUSE_SECONDS", 0.2 if pauses else 30.0)
        async with start("" if pauses else "gateway: {request_timeout_seconds: 0.2}\n") as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
            writer.write(HEAD + b"content-length: 1000000\r\n\r\n{")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408")
            assert b"connection: close\r\n" in head
            writer.write(b"a" * 100_000)
            rest = await reader.read()  # to the end of the connection
            assert json.loads(rest)["error"]["code"] == "request_timeout"
            writer.close()


@pytest.mark.parametrize("asked", [b"POST /nowhere", b"DELETE /v1/route", b"GET /v1/models"])
async def test_an_answer_that_needs_no_body_does_not_leave_half_of_one_behind(
    start: Start, monkeypatch: pytest.MonkeyPatch, asked: bytes
) -> None:
    monkeypatch.setattr("service.api.middleware._LINGER_SECONDS", 0.2)
    head = asked + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n"
    async with start("") as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
        for sent in (b"whole", b"whole", b"ha"):  # and who has sent all of it keeps his connection
            writer.write(head + sent)
            told = await reader.readuntil(b"\r\n\r\n")
            assert (b"connection: close" in told) == (sent == b"ha")
            length = int(told.lower().partition(b"content-length: ")[2].split(b"\r")[0])
            await reader.readexactly(length)
        assert await reader.read() == b""  # the end of the connection
        writer.close()


async def test_a_body_that_is_too_large_and_does_not_come_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.middleware._DRAIN_SECONDS", 3_600.0)
    async with start("gateway: {max_body_bytes: 10}\n") as running:
        for sent in (b"", b"{"):
            head = HEAD + b"content-length: 99999999999\r\n\r\n" + sent
            status, headers, error = await asyncio.wait_for(exchanged(running.url, head), 60)
            assert (status, error["code"]) == (413, "request_too_large")
            assert headers["connection"] == "close"


async def test_after_a_whole_body_the_connection_is_kept(start: Start) -> None:
    async with start("gateway: {max_body_bytes: 10}\n") as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
        for _ in range(2):
            writer.write(HEAD + b"content-length: 100\r\n\r\n" + b"a" * 100)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413")
            assert b"connection: close" not in head
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
            await reader.readexactly(length)
        writer.close()
