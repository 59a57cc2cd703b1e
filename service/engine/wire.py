"""HTTP/1.1 to one server: connections that are kept alive, one request at a time on each.

Made for answers of many small pieces: a piece costs one callback of httptools and one future. A general
client took most of the gateway's time (``docs/log.md``). There are no redirects, cookies, proxies nor
compression, and nothing is sent twice.

WireError
├── Unreachable     no connection
└── Broken          one that ended in the middle of an answer, or spoke no HTTP
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

import httptools
import httpx

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 3.0  # vLLM hangs up after 5; a request that meets that would be lost
_MOST_IDLE = 256
_BUFFER_BYTES = 1 << 18  # of an answer that nobody reads, before the server has to wait


class WireError(Exception):
    """No answer, or not all of one."""


class Unreachable(WireError):
    """No connection came about."""


class Broken(WireError):
    """The connection ended too early, or what came is no HTTP."""


class Reply(Protocol):
    """An answer whose head has come."""

    @property
    def status(self) -> int: ...

    async def next(self) -> bytes:
        """What has come since the last call, waited for; empty at the end.

        Raises:
            Broken: the end did not come.
        """
        ...


class Wire(Protocol):
    """A server that can be asked."""

    def ask(self, method: str, path: str, body: bytes | None) -> AbstractAsyncContextManager[Reply]:
        """The answer to one request; leaving it before its end hangs up.

        Raises:
            WireError
        """
        ...

    def close(self) -> None: ...


class HttpWire:
    """As many connections to ``url`` as are needed at once."""

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if tls else 80)
        self._tls = httpx.create_ssl_context(trust_env=False) if tls else None
        self._prefix = parts.path.rstrip("/")
        lines = [f"host: {parts.netloc.rpartition('@')[2]}", "accept: */*", "accept-encoding: identity"]
        if key:
            lines.append(f"authorization: Bearer {key}")
        elif parts.username is not None:
            named = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            lines.append(f"authorization: Basic {base64.b64encode(named).decode()}")
        self._lines = "\r\n".join(lines)
        self._idle: list[tuple[_Connection, float]] = []  # and since when
        self._closed = False

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[Reply, None]:
        """See :class:`Wire`."""
        connection = self._kept() or await self._connect()
        try:
            content = (
                "" if body is None else f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            )
            head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._lines}\r\n{content}\r\n"
            await connection.send(head.encode("latin-1") + (body or b""))
            yield connection
        finally:
            if connection.reusable and not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.abort()

    def close(self) -> None:
        """Hang up, now or once the answers under way are over."""
        self._closed = True
        for connection, _ in self._idle:
            connection.abort()
        self._idle.clear()

    def _kept(self) -> _Connection | None:
        now = time.monotonic()
        while self._idle:
            connection, since = self._idle.pop()
            if now - since > _IDLE_SECONDS:  # and so are all before it
                for old in [connection, *(each for each, _ in self._idle)]:
                    old.abort()
                self._idle.clear()
            elif connection.reusable:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    _Connection, self._host, self._port, ssl=self._tls
                )
        except (OSError, UnicodeError) as exc:  # a TimeoutError is the former, an impossible name the latter
            raise Unreachable(str(exc)) from exc
        return connection


class _Connection(asyncio.Protocol):
    """One connection, which is the :class:`Reply` to the request that it carries."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._open = False
        self._begin()
        self._done = True

    def _begin(self) -> None:
        self.status = 0
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._size = 0  # of the pieces, in bytes
        self._paused = False
        self._measured = False  # the head says where the answer ends; else the connection's end does
        self._done = False
        self._error: Broken | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        """Whether the answer has been read whole and another request may follow."""
        return self._open and self._done and not self._pieces

    async def send(self, request: bytes) -> None:
        """Send a request and wait for the head of its answer."""
        assert self._transport is not None
        self._begin()
        if not self._open:
            raise Broken("the connection ended before a request was sent")
        self._transport.write(request)
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def next(self) -> bytes:
        """See :class:`Reply`."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._done:
                return b""
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def abort(self) -> None:
        """Hang up at once."""
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self._done and self._error is None:
            self._error = Broken(reason)
            self._wake()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._open = True

    def data_received(self, data: bytes) -> None:
        if self._done:  # nobody asked
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._fail(f"no HTTP: {exc}")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        if exc is None and self.status and not self._measured:
            self._done = True
            self._wake()
        self._fail("the connection ended in the middle of an answer")

    # what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._measured = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._wake()

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _BUFFER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        self._done = True
        self._open = self._open and self._parser.should_keep_alive()
        self._wake()
