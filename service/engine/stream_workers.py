"""Processes that carry streamed answers, where the gateway's own one core is not enough.

The gateway keeps the client's connection, the request's slot, its lease and its counts. A worker asks the
engine for it and gives the first piece to the gateway, which begins the answer; then it is lent the
connection, writes the middle on it, and gives it back with the piece that ends the answer. Who dies leaves
nothing behind: a worker's streams end with an error, and a lease is held by the gateway alone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import cast

import orjson

from service.engine.channel import Channel, Kind
from service.engine.wire import Broken, Lent, Outlet, Passing, Reply, Taker, Unreachable, Wire

log = logging.getLogger("pointsman.streams")

_OVER_SECONDS = 3.0  # until a worker that has not let go of a connection is not waited for
_END_SECONDS = 5.0  # that a worker gets to end by itself
_LEND_TRIES = 3  # turns of the event loop, after which what was written before is out
_RESTART_SECONDS = 1.0  # and twice as long after each start that came to nothing
_MOST_RESTART_SECONDS = 30.0


class StreamWorkers:
    """So many processes; each stream goes to the one that has the fewest."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> int:
        """How many work."""
        return len(self._workers)

    def start(self) -> None:
        """Begin to keep them running."""
        self._tasks = [
            asyncio.create_task(self._keep(), name=f"stream worker {number}") for number in range(self._count)
        ]

    async def stop(self) -> None:
        """End them; returns when they are gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wire(self, url: str, key: str | None, own: Wire) -> Wire:
        """The server at ``url`` through a worker, or through ``own`` while there is none."""
        return _WorkerWire(self._workers, {"url": url, "key": key}, own)

    async def _keep(self) -> None:
        pause = _RESTART_SECONDS
        while True:
            try:
                worker = _Worker(self._workers.append)
            except OSError as exc:
                log.error("a stream worker can't be started: %s", exc)
            else:
                try:
                    await worker.ended.wait()
                finally:
                    if worker in self._workers:
                        self._workers.remove(worker)
                        pause = _RESTART_SECONDS
                    await worker.end()
                log.error("a stream worker ended; its streams are cut, and another is started")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_RESTART_SECONDS)


class _Worker:
    """One process and the streams that it carries."""

    def __init__(self, ready: Callable[[_Worker], object]) -> None:
        """``ready`` is called with it once it works.

        Raises:
            OSError: it can't be started.
        """
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as undone:
            undone.callback(ours.close)
            self._process = subprocess.Popen(  # by vfork, see service.engine.process
                [sys.executable, "-P", "-m", "service.engine.stream_worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
            undone.pop_all()
        self._ready = ready
        self.ended = asyncio.Event()
        self.channel = Channel(ours, self._take, self._lost)
        self.streams: dict[int, _Carried] = {}
        self._numbers = itertools.count(1)

    def open(self) -> _Carried:
        """A stream of this worker."""
        number = next(self._numbers)
        stream = self.streams[number] = _Carried(self, number)
        return stream

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    async def end(self) -> None:
        """Close the channel, which ends the process, and wait for that."""
        self.channel.close()
        self._lost()
        try:
            await asyncio.to_thread(self._process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _take(self, kind: Kind, number: int, payload: bytes, _: int | None) -> None:
        if kind is Kind.READY:
            self._ready(self)
        elif (stream := self.streams.get(number)) is not None:
            stream.told(kind, payload)

    def _lost(self) -> None:
        self.ended.set()
        for stream in list(self.streams.values()):
            stream.told(Kind.LOST, b"bthe process that carried it ended")
            stream.told(Kind.OVER, b"\1")  # what it had begun to write, nobody knows


class _Carried:
    """One answer through a worker, as the reply to its request; what is asked of it, it asks the worker."""

    def __init__(self, worker: _Worker, number: int) -> None:
        self.status = 0
        self._worker = worker
        self._number = number
        self._answer: asyncio.Future[bytes] | None = None
        self._over = asyncio.Event()
        self._error: Exception | None = None
        self._passing: Passing | None = None  # whose connection was lent
        self._is_lent = False
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
        if self._left or self._ended or (lent := await _lent(passing)) is None:
            return
        self._passing, self._is_lent = passing, True
        try:
            found = await self._told(Kind.POUR, lent.rest, lent.file)
        except OSError as exc:  # no open file more
            log.error("a connection can't be lent to a stream worker: %s", exc)
            self._is_lent, self._left = False, lent.rest
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


class _WorkerWire:
    """A server that is asked by workers."""

    def __init__(self, workers: list[_Worker], server: dict[str, str | None], own: Wire) -> None:
        self._workers = workers
        self._server = server
        self._own = own
        self._busy: set[_Carried] = set()

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[Reply, None]:
        """See :class:`Wire`."""
        if not self._workers:
            async with self._own.ask(method, path, body) as reply:
                yield reply
            return
        stream = min(self._workers, key=lambda worker: len(worker.streams)).open()
        self._busy.add(stream)
        try:
            await stream.ask(orjson.dumps({**self._server, "path": path}), body or b"")
            yield stream
        finally:
            self._busy.discard(stream)
            await stream.close()

    def close(self) -> None:
        """Nothing: the workers' connections close by themselves."""

    def cut(self) -> None:
        """See :class:`Wire`."""
        for stream in list(self._busy):
            stream.cut()


async def _lent(outlet: Outlet) -> Lent | None:
    for _ in range(_LEND_TRIES):
        if (lent := outlet.lend()) is not None:
            return lent
        await asyncio.sleep(0)
    return None
