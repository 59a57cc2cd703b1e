"""HTTP/1.1 as fast as Python goes: one protocol a connection, kept alive, parsed by httptools.

A general client costs more time for one chunk than a gateway does, and would be what is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

_PATH = "/v1/chat/completions"
_ADAPTER = b"x-pointsman-adapter"
_IDLE_SECONDS = 3.0  # servers hang up after 5; a request that meets that would count as broken


class WireError(Exception):
    """No answer, or a broken one; a few words that errors are counted by."""


@dataclass(slots=True)
class Answer:
    """One response; times are ``time.perf_counter()``."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    chunks: list[tuple[float, int]] = field(default_factory=list)  # when, and the body's length then
    adapter: str = ""  # that answered, where Pointsman says it


@dataclass(frozen=True)
class Address:
    """Where an endpoint is, and how the head of every request to it begins."""

    host: str
    port: int
    tls: bool
    head: bytes

    @classmethod
    def of(cls, url: str) -> Address:
        """From ``http://host:port``, with or without ``/v1``.

        Raises:
            ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server: http://HOST:PORT or https://HOST is needed")
        path = parts.path.rstrip("/").removesuffix("/v1") + _PATH
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {parts.netloc.rpartition('@')[2]}",
            "content-type: application/json",
        ]
        tls = parts.scheme == "https"
        return cls(
            parts.hostname,
            parts.port or (443 if tls else 80),
            tls,
            "".join(f"{line}\r\n" for line in lines).encode(),
        )


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._answer = Answer()
        self._now = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self.usable = False

    async def ask(self, head: bytes, body: bytes, seconds: float) -> Answer:
        """The whole answer to one request.

        Raises:
            WireError: it does not come within ``seconds``, or the connection breaks.
        """
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._answer = Answer()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(seconds, self._fail, "no answer in time")
        self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        try:
            await waiter
        finally:
            timer.cancel()
            if not waiter.done() or waiter.cancelled():
                self.close()
        return self._answer

    def close(self) -> None:
        """Hang up."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, reason: str) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(WireError(reason))

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.usable = True

    def data_received(self, data: bytes) -> None:
        self._now = time.perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("no HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._fail("the connection broke")

    # what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == _ADAPTER:
            self._answer.adapter = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self._answer.body += data
        self._answer.chunks.append((self._now, len(self._answer.body)))

    def on_message_complete(self) -> None:
        self.usable = self.usable and self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Endpoint:
    """A server, with as many connections as are needed at once.

    ``keys`` are those of its callers; without any, or with one, all callers are the same. ``headers`` are
    names and values of more headers, which go with the requests that are to have them.
    """

    def __init__(
        self,
        address: Address,
        seconds: float,
        keys: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._address = address
        callers = [address.head + f"authorization: Bearer {key}\r\n".encode() for key in keys]
        self._heads = callers or [address.head]
        self._more = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
        self._seconds = seconds  # that an answer may take
        self._idle: list[tuple[Connection, float]] = []  # and since when
        self._tls = ssl.create_default_context() if address.tls else None

    async def ask(self, body: bytes, caller: int = 0, *, headed: bool = True) -> Answer:
        """One answer; ``caller`` counts from 0, ``headed`` says whether the request has the headers.

        Raises:
            WireError
        """
        head = self._heads[caller % len(self._heads)] + (self._more if headed else b"")
        connection = self._kept() or await self._connect()
        answer = await connection.ask(head, body, self._seconds)
        if connection.usable:
            self._idle.append((connection, time.perf_counter()))
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Hang up on all connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def _kept(self) -> Connection | None:
        """A connection of before that can be used still."""
        while self._idle:
            connection, since = self._idle.pop()
            if connection.usable and time.perf_counter() - since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds):
                _, connection = await loop.create_connection(
                    Connection, self._address.host, self._address.port, ssl=self._tls
                )
        except TimeoutError as exc:
            raise WireError("no connection in time") from exc
        except OSError as exc:
            raise WireError("no connection") from exc
        return connection
