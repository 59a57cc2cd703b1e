"""What happens around every request, as plain ASGI: its record, its size, its errors, and its client leaving.

``Observe`` is the outer one: request id, headers, metrics and the log line. ``Guard`` bounds the body before
it is read, turns every exception into OpenAI's form, and cancels the work when the client goes away.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import tell
from service.errors import BodyTimeout, BodyTooLarge
from service.metrics import Metrics
from service.record import Record, request_id

log = logging.getLogger("pointsman.errors")

GENERATION = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
_PROBES = ("/health", "/ready", "/metrics")
_KEY = "pointsman.record"
_CLIENT_GONE = 499
_DONE = b"data: [DONE]\n\n"  # the last that a client of a stream reads; many close the connection at once
_PAUSE_SECONDS = 30.0  # without any more of a body; its whole has the time of a request
_DRAIN_SECONDS = 5.0  # of a body that comes and is dropped
_SETTLE_SECONDS = 0.25  # in which a body that was sent with its request is there, or more of one that comes
_LINGER_SECONDS = 2.0  # that who sent half a body gets to read the answer and close
_DRAIN_TIMES = 8  # limits of a body that are read and dropped, so that the client gets to see the refusal


class ClientGone(Exception):
    """The client closed its connection; there is nobody left to answer."""


def record_of(scope: MutableMapping[str, Any]) -> Record:
    """The record of the request that ``scope`` belongs to."""
    record: Record = scope[_KEY]
    return record


class Observe:
    """Gives each request a record, its response the headers, and the log and the metrics a line."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(request_id(Headers(scope=scope).get("x-request-id")), scope["method"], scope["path"])
        scope[_KEY] = record

        async def outgoing(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *record.headers()]
            elif record.first_byte is None and message.get("body"):
                record.first_byte = record.elapsed
            await send(message)

        counted = record.path in GENERATION
        if counted:
            self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, outgoing)
        except ClientGone:
            record.status, record.error = record.status or _CLIENT_GONE, "client_gone"
        finally:
            record.seconds = record.elapsed
            if counted:
                self._metrics.in_flight.dec()
                self._metrics.count(record)
            if record.path not in _PROBES:
                record.write()


class Guard:
    """Bounds, errors and disconnects."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, body_seconds: float) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = record_of(scope)
        intake = _Intake(scope, receive, self._limit, self._seconds)
        output = _Output(send, intake)
        try:
            intake.check_declared()
            await _until_gone(self._app(scope, intake.receive, output.send), intake, output)
        except ClientDisconnect as exc:
            raise ClientGone from exc
        except ClientGone:
            raise
        except Exception as exc:
            told = tell(exc, record.id)
            record.error = told.code
            if output.started:
                log.error("request %s failed while its answer was being sent", record.id, exc_info=exc)
                raise
            if not isinstance(exc, BodyTimeout):
                await intake.drain(_DRAIN_SECONDS, _DRAIN_TIMES * self._limit, _SETTLE_SECONDS)
            is_whole = intake.is_whole  # else the connection ends: what comes on it is the body's rest
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(told.body)),
                *([] if is_whole else [(b"connection", b"close")]),
                *told.headers,
            ]
            await send({"type": "http.response.start", "status": told.status, "headers": headers})
            await send({"type": "http.response.body", "body": told.body, "more_body": not is_whole})
            if not is_whole:
                await intake.drain(_LINGER_SECONDS)
                await send({"type": "http.response.body", "body": b""})  # with which the server closes


class _Intake:
    """The request's body, counted as it comes, and the news that its client is gone."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float) -> None:
        headers = Headers(scope=scope)
        self._declared = headers.get("content-length", "")
        self._has_body = self._declared not in ("", "0") or "transfer-encoding" in headers
        self._waits_for_go = "expect" in headers  # has not sent its body, and won't if it is refused
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seen = 0
        self._complete = asyncio.Event()
        self._gone = asyncio.Event()

    def check_declared(self) -> None:
        if self._declared.isdecimal() and int(self._declared) > self._limit:
            raise self._too_large(int(self._declared))

    async def receive(self) -> Message:
        if self._complete.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        pause = asyncio.get_running_loop().time() + _PAUSE_SECONDS
        try:
            async with asyncio.timeout_at(min(pause, self._deadline)):
                message = await self._receive()
        except TimeoutError:
            late = self._deadline <= pause
            when = f"after {self._seconds:g} s" if late else f"{_PAUSE_SECONDS:g} s later"
            raise BodyTimeout(
                f"the body was not complete: {self._seen} bytes had come, and {when} no more"
            ) from None
        self._note(message)
        if self._seen > self._limit:
            raise self._too_large(None)
        return message

    async def gone(self) -> None:
        """Return when the client has left after all of its body was read."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come, or its client is gone."""
        return self._complete.is_set()

    @property
    def is_awaited(self) -> bool:
        """Whether some of it is still to come."""
        return self._has_body and not self.is_whole

    async def drain(self, seconds: float, most: float = math.inf, pause: float = math.inf) -> None:
        """Read on and drop it: a connection closed over unread bytes can lose the answer on its way.

        No longer than ``seconds``, and until no more has come for ``pause`` seconds or ``most`` bytes have.
        """
        if self._waits_for_go:
            return
        now = asyncio.get_running_loop().time
        end = now() + seconds
        try:
            while not self._complete.is_set() and self._seen <= most:
                async with asyncio.timeout_at(min(end, now() + pause)):
                    self._note(await self._receive())
        except TimeoutError:
            return

    def _note(self, message: Message) -> None:
        self._seen += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._complete.set()

    def _too_large(self, found: int | None) -> BodyTooLarge:
        size = f"{found} bytes" if found is not None else f"more than {self._limit} bytes"
        return BodyTooLarge(f"the body is {size}; at most {self._limit} are taken")


class _Output:
    """Knows how far the response is, and ends the connection behind one that did not wait for the body.

    As where there is no such path: what came on the connection next would be the rest of the body. A body
    that is there already is read.
    """

    def __init__(self, send: Send, intake: _Intake) -> None:
        self._send = send
        self._intake = intake
        self._closes = False
        self.started = False
        self.finished = False

    async def send(self, message: Message) -> None:
        if not self.started and self._intake.is_awaited:
            await self._intake.drain(_SETTLE_SECONDS)
            if self._intake.is_awaited:
                self._closes = True
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        self.started = True
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if message["type"] == "http.response.body":
            self.finished = self.finished or last or message.get("body", b"").endswith(_DONE)
        if not (self._closes and last):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._intake.drain(_LINGER_SECONDS)
        await self._send({"type": "http.response.body", "body": b""})  # with which the server closes


async def _until_gone(work: Awaitable[None], intake: _Intake, output: _Output) -> None:
    """Run ``work`` to its end, or cancel it when the client leaves first (ClientGone).

    In this very task: one of its own would begin only after whatever else is ready has begun, and where many
    requests come at once each would wait for all.
    """
    working = asyncio.current_task()
    assert working is not None
    left = False

    async def watch() -> None:
        nonlocal left
        await intake.gone()
        if not output.finished:
            left = True
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        await work
    except asyncio.CancelledError as exc:
        if left:
            raise ClientGone from exc
        raise
    finally:
        if left:
            working.uncancel()
        watching.cancel()
        await asyncio.wait({watching})
