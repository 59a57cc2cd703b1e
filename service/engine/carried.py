"""One streamed answer that a stream worker carries, as the gateway sees it: the reply to its request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any, Protocol, cast

from service.engine.channel import Channel, Kind
from service.engine.wire import Broken, Lent, Outlet, Passing, Taker, Unreachable

log = logging.getLogger("pointsman.streams")

_OVER_SECONDS = 3.0  # until a worker that has not let go of a connection is not waited for
_LEND_TRIES = 3  # turns of the event loop, after which what was written before is out


class NoFileLeft(Exception):
    """A worker has no open file for what it was asked, and has done nothing of it."""


class Carrier(Protocol):
    """The worker: :mod:`service.engine.stream_workers`."""

    @property
    def channel(self) -> Channel: ...

    @property
    def streams(self) -> MutableMapping[int, Any]: ...

    def is_short(self) -> None:
        """Hear that no open file is left for what it was asked."""
        ...

    def kill(self) -> None: ...


class Carried:
    """One answer through a worker, as the reply to its request; what is asked of it, it asks the worker."""

    def __init__(self, worker: Carrier, number: int) -> None:
        self.status = 0
        self._worker = worker
        self._number = number
        self._answer: asyncio.Future[bytes] | None = None
        self._over = asyncio.Event()
        self._error: Exception | None = None
        self._passing: Passing | None = None  # whose connection was lent
        self._is_lent = False
        self._may_lend = True  # until there was no open file for it
        self._half = False  # what stands on it is no whole chunk
        self._left = b""
        self._ended = False  # nothing comes behind that

    async def ask(self, head: bytes, body: bytes) -> None:
        """Have the request sent, and wait for the head of its answer."""
        self.status = int.from_bytes(await self._told(Kind.ASK, head + b"\n" + body), "big")

    async def next(self) -> bytes:
        """See :class:`Reply`."""
        if self._left:
            data, self._left = self._left, b""
            return data
        return b"" if self._ended else await self._told(Kind.NEXT)

    async def pour(self, taker: Taker) -> None:
        """See :class:`Reply`; the connection of ``taker`` is lent for it."""
        passing = cast(Passing, taker)  # this wire is asked for such alone
        if not self._may_lend or self._left or self._ended or (lent := await _lent(passing)) is None:
            return
        self._passing, self._is_lent = passing, True
        try:
            found = await self._told(Kind.POUR, lent.rest, lent.file)
        except (OSError, NoFileLeft):  # here, or there
            self._worker.is_short()
            self._is_lent = self._may_lend = False
            self._left = lent.rest
            passing.back(b"")
            return
        self._is_lent, self._ended = False, bool(found[0])
        length = int.from_bytes(found[1:5], "big")
        self._left = found[5 + length :]
        passing.back(found[5 : 5 + length])

    async def close(self) -> None:
        """Let the worker let go; it may have to send the rest of a chunk.

        Who has half a chunk can't be told anything any more: the connection is closed.
        """
        try:
            if not self._over.is_set():
                self._worker.channel.send(Kind.CUT, self._number)
                async with asyncio.timeout(_OVER_SECONDS):
                    await self._over.wait()
        except TimeoutError:
            log.error("a stream worker did not let go of an answer within %g s; it is ended", _OVER_SECONDS)
            self._worker.kill()
            self._half = True
        finally:
            if self._passing is not None and self._is_lent and self._half:
                self._passing.abort()
            self._worker.streams.pop(self._number, None)

    def told(self, kind: Kind, payload: bytes) -> None:
        """The worker said something."""
        match kind:
            case Kind.HEARD:
                if self._passing is not None:
                    self._passing.heard(int.from_bytes(payload, "big"))
            case Kind.OVER:
                self._over.set()
                self._half = payload != b"\0"
                if self._answer is not None and not self._answer.done():
                    self._answer.set_exception(Broken("the process that carried it let go of it"))
            case Kind.LOST:
                reason = payload[1:].decode(errors="replace")
                self._error = Unreachable(reason) if payload[:1] == b"u" else Broken(reason)
                if self._answer is not None and not self._answer.done():
                    self._answer.set_exception(self._error)
            case Kind.SHORT:
                if self._answer is not None and not self._answer.done():
                    self._answer.set_exception(NoFileLeft())
            case _:
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(payload)

    def cut(self) -> None:
        """Hang up on the engine."""
        self.told(Kind.LOST, b"bthe answer was cut")

    async def _told(self, kind: Kind, payload: bytes = b"", file: int | None = None) -> bytes:
        if self._error is not None:
            raise self._error
        self._answer = asyncio.get_running_loop().create_future()
        self._worker.channel.send(kind, self._number, payload, file)
        return await self._answer


async def _lent(outlet: Outlet) -> Lent | None:
    for _ in range(_LEND_TRIES):
        if (lent := outlet.lend()) is not None:
            return lent
        await asyncio.sleep(0)
    return None
