"""One HTTP/1.1 connection to a server, parsed by httptools.

Made for answers of many small pieces: one that is poured costs two callbacks, one that is waited for a future
besides.
"""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from service.engine.wire import Broken, Taker

_BUFFER_BYTES = 1 << 18  # of an answer that nobody reads, before the server has to wait


class Connection(asyncio.Protocol):
    """Carries one request at a time, and is the :class:`Reply` to it."""

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
        self._taker: Taker | None = None

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
        data = self._joined()
        self._clear()
        return data

    async def pour(self, taker: Taker) -> None:
        """See :class:`Reply`."""
        if self._pieces or self._done or self._error is not None:
            return
        self._taker = taker
        try:
            await self._wait()
        finally:
            self._taker = None

    def abort(self) -> None:
        """Hang up at once."""
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    def _joined(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _clear(self) -> None:
        self._pieces.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _poured(self) -> bool:
        """Whether there is nothing that anybody has to be woken for."""
        if self._taker is None or self._done or (self._pieces and not self._taker.take(self._joined())):
            return False
        self._clear()
        return True

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
        # uvloop keeps what is written until all that is ready has run; where many requests come at once, the
        # first would reach the engine no earlier than the last
        self._transport.set_write_buffer_limits(high=0)
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
        if not self._poured():
            self._wake()

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

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _BUFFER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._done = True
        self._open = self._open and self._parser.should_keep_alive()
