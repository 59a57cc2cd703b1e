"""Processes that carry streamed answers, where the gateway's own one core is not enough.

The gateway keeps the client's connection, the request's slot, its lease and its counts. A worker asks the
engine for it and gives the first piece to the gateway, which begins the answer; then it is lent the
connection, writes the middle on it, and gives it back with the piece that ends the answer (``carried``).

Who dies leaves nothing behind: a worker's streams end with an error, and a lease is held by the gateway
alone. Who has no open file left carries what it has; what else comes goes through the gateway.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager

import orjson

from service.engine.carried import Carried, NoFileLeft
from service.engine.channel import Channel, Kind
from service.engine.wire import Reply, Wire

log = logging.getLogger("pointsman.streams")

_END_SECONDS = 5.0  # that a worker gets to end by itself
_RESTART_SECONDS = 1.0  # and twice as long after each start that came to nothing
_MOST_RESTART_SECONDS = 30.0
_TELL_SECONDS = 60.0  # between two lines of the log on a worker without an open file


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
        self.streams: dict[int, Carried] = {}
        self._numbers = itertools.count(1)
        self._told_short = -math.inf

    def open(self) -> Carried:
        """A stream of this worker."""
        number = next(self._numbers)
        stream = self.streams[number] = Carried(self, number)
        return stream

    def is_short(self) -> None:
        """Say in the log that no open file is left, here or there."""
        now = time.monotonic()
        if now - self._told_short >= _TELL_SECONDS:
            self._told_short = now
            log.error(
                "no open file is left for a stream worker, which needs two a stream; until there is, answers "
                "pass through the gateway: raise the limit (ulimit -n), or gateway.stream_workers"
            )

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


class _WorkerWire:
    """A server that is asked by workers."""

    def __init__(self, workers: list[_Worker], server: dict[str, str | None], own: Wire) -> None:
        self._workers = workers
        self._server = server
        self._own = own
        self._busy: set[Carried] = set()

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[Reply, None]:
        """See :class:`Wire`."""
        stream = await self._begun(path, body) if self._workers else None
        if stream is None:
            async with self._own.ask(method, path, body) as reply:
                yield reply
            return
        try:
            yield stream
        finally:
            await self._over(stream)

    async def _begun(self, path: str, body: bytes | None) -> Carried | None:
        """A stream of the worker that has the fewest; None: that has no open file left."""
        worker = min(self._workers, key=lambda worker: len(worker.streams))
        stream = worker.open()
        self._busy.add(stream)
        try:
            await stream.ask(orjson.dumps({**self._server, "path": path}), body or b"")
        except NoFileLeft:
            worker.is_short()
            await self._over(stream)
            return None
        except BaseException:
            await self._over(stream)
            raise
        return stream

    async def _over(self, stream: Carried) -> None:
        self._busy.discard(stream)
        await stream.close()

    def close(self) -> None:
        """Nothing: the workers' connections close by themselves."""

    def cut(self) -> None:
        """See :class:`Wire`."""
        for stream in list(self._busy):
            stream.cut()
