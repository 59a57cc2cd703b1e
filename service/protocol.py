"""HTTP as it comes off the wire, where uvicorn would answer by itself.

What is no HTTP, and what never ends its headers, gets OpenAI's error form too.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections import deque
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.errors import INVALID, error_body
from service.record import request_id

log = logging.getLogger("pointsman.server")

PIECES = "pointsman.pieces"  # where a request's scope has its :class:`Pieces`

_MOST_HEAD = 65_536  # bytes of a request's line and headers
_MOST_ASKED = 16  # requests that are read before the first of them is answered
_HEAD_SECONDS = 60.0  # from its first byte, or that of the connection, to a head's end
_LINGER_SECONDS = 2.0  # that a client gets to read a refusal and close
_NO_HTTP = (
    "what was sent is no HTTP/1.1 request: is it https on a port without TLS, an unknown method, "
    "or a head without its one host?"
)
_LATE_HEAD = f"the request's line and headers were not whole after {_HEAD_SECONDS:g} s"
_CODED = "the transfer-encoding is not chunked alone: send the body as it is, in no other coding"
_LONG_HEAD = f"the request's line and headers are over {_MOST_HEAD} bytes"
_UPGRADE = b"\nupgrade:"
_OFFER = re.compile(_UPGRADE, re.IGNORECASE)
_BLANK = re.compile(rb"\n\r?\n")  # the end of a head


class Pieces:
    """Writes the middle of a streamed answer straight to its connection.

    A piece on the way of ASGI passes six coroutines, which for an answer of many small pieces is a fifth of
    the gateway's work.
    """

    __slots__ = ("_cycle", "_ends_by_closing")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._ends_by_closing = False

    def end_by_closing(self, message: Message) -> None:
        """Have ``message``, which is to be sent, begin or end an answer of unknown size without chunks."""
        cycle = self._cycle
        if message["type"] == "http.response.start":
            if not any(name.lower() == b"content-length" for name, _ in message["headers"]):
                self._ends_by_closing = True
                cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
        elif self._ends_by_closing and not message.get("more_body", False):
            cycle.expected_content_length = len(message.get("body", b""))

    @property
    def can(self) -> bool:
        """Whether the answer's head is out, its body is cut in chunks, and the client keeps up."""
        cycle = self._cycle
        return cycle.response_started and bool(cycle.chunked_encoding) and not cycle.flow.write_paused

    @property
    def file(self) -> int | None:
        """The connection's number among the open files, while nothing is left to be written on it here."""
        transport = self._cycle.transport
        if not self.can or self._cycle.disconnected or transport.get_write_buffer_size():
            return None
        connection = transport.get_extra_info("socket")
        return None if connection is None else int(connection.fileno())

    def abort(self) -> None:
        """Close the connection at once."""
        self._cycle.transport.abort()

    def write(self, piece: bytes) -> None:
        """Send ``piece``, which is not empty, while :attr:`can`; not to a client that has left."""
        if not self._cycle.disconnected:
            self._cycle.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))


class Protocol(HttpToolsProtocol):
    """uvicorn's, with bounded headers, refusals in our form, and no chunks for HTTP/1.0.

    Of requests that come one behind the other, before the first is answered, each gets its own answer or
    refusal, and all of them hear that the client has left.
    """

    _part = ""  # of a request, that the last piece ended in: its head or its body
    _head = 0  # bytes of the head in such pieces
    _is_long = False
    _problem = _NO_HTTP  # of what can't be parsed
    _waits: asyncio.TimerHandle | None = None  # for a head, and for the end of who was refused
    _held = b""  # the end of the last piece, that may begin an offer of another protocol

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = _answering(self.app)
        self._asked: deque[RequestResponseCycle] = deque()  # not answered yet, the first one first
        self._refusal = b""  # what follows their answers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and may say nothing."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Parse a piece."""
        if self._refusal:
            return
        before = self._part
        data, self._held = self._held + data, b""
        if before != "body":
            data, self._held = _without_upgrade(data)
        super().data_received(data)
        if self._part == "head" and before != "body":
            self._head += len(data)
            if self._head > _MOST_HEAD and not self._refusal:
                self._is_long = True
                self.send_400_response(_LONG_HEAD)
        if self._part == "head" and self._waits is None and not self._refusal:
            self._wait()

    def on_message_begin(self) -> None:
        """A request's first byte is there."""
        self._part, self._head = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _MOST_HEAD:
            self._is_long = True
            raise ValueError(_LONG_HEAD)  # uvicorn then calls send_400_response
        if sum(name == b"host" for name, _ in self.headers) != 1 and self.parser.get_http_version() == "1.1":
            raise ValueError("no host, or several")  # RFC 9112, section 3.2
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and [value.strip().lower() for value in codings] != [b"chunked"]:
            self._problem = _CODED
            raise ValueError(_CODED)  # httptools would take the coded bytes for the body
        self._part = "body"
        self._wait_no_more()
        super().on_headers_complete()
        self.scope[PIECES] = Pieces(self.cycle)  # type: ignore[literal-required]
        self._asked.append(self.cycle)
        if 1 < len(self._asked) < _MOST_ASKED:
            self.flow.resume_reading()  # uvicorn would not see the client leave

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._part = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be parsed, once all before it is answered, and close."""
        if self._is_long:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _LONG_HEAD, "headers_too_large")
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, self._problem, "invalid_http")

    def _wait(self) -> None:
        self._waits = self.loop.call_later(_HEAD_SECONDS, self._waited)

    def _wait_no_more(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _waited(self) -> None:
        if self._part == "head":
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, _LATE_HEAD, "request_timeout")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, message: str, code: str) -> None:
        self._wait_no_more()
        name, body = request_id(None), error_body(message, INVALID, code)
        log.warning("request %s: %s", name, message)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {name}\r\nconnection: close\r\n\r\n"
        )
        self._refusal = head.encode() + body
        if self._part == "body" and self._asked:  # the request that is broken is no more to be answered
            _tell_gone(self._asked.pop())
            if self.pipeline:
                self.pipeline.popleft()
        self._refuse_in_turn()

    def on_response_complete(self) -> None:
        """A request is answered."""
        if self._asked:
            self._asked.popleft()
        super().on_response_complete()
        self._refuse_in_turn()

    def _refuse_in_turn(self) -> None:
        if self._refusal and not self._asked and self._waits is None and not self.transport.is_closing():
            self.transport.write(self._refusal)
            self.transport.write_eof()  # closed over bytes that come still, it could be lost on its way
            self._waits = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left; uvicorn tells the last of its requests only."""
        self._wait_no_more()
        for cycle in self._asked:
            _tell_gone(cycle)
        super().connection_lost(exc)


def _tell_gone(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()


def _answering(app: ASGIApp) -> ASGIApp:
    """``app``, whose answers to HTTP/1.0 of a size that is not known end with the connection.

    That version has no chunks (RFC 9112, section 6.1), and uvicorn sends them all the same. A request that is
    over leaves no ring of objects behind, which Python's garbage collector would have to find while all wait.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def plain(message: Message) -> None:
            pieces.end_by_closing(message)
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        pieces: Pieces = scope[PIECES]
        try:
            await app(scope, receive, plain if scope["http_version"] == "1.0" else send)
        finally:
            del scope[PIECES]

    return answer


def _without_upgrade(data: bytes) -> tuple[bytes, bytes]:
    """``data``, part of a head and what follows, with no offer of another protocol in it; and its end, where
    a cut line may still become one.

    A server may pass over such an offer. Java's client makes one for HTTP/2 by itself, and httptools then
    takes the request to end at its head, so that the body would be lost.
    """
    end = _BLANK.search(data)
    kept = len(data) if end is None else end.start()
    if end is None and (line := data.rfind(b"\n")) >= 0:
        begun = data[line:].lower()
        kept = line if begun == b"\n\r" or _UPGRADE.startswith(begun) else kept
    head, rest = data[:kept], data[kept:]
    passed = _OFFER.sub(b"\nx-upgrade:", head)
    return (passed, rest) if end is None else (passed + rest, b"")
