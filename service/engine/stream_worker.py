"""A process that carries streamed answers: it asks the engine, and writes on connections that it is lent.

    python -m service.engine.stream_worker FILE

``FILE`` is the number of its end of a Unix socket; it ends with the other end. Where it has as many open
files as it may have, two a stream, it says so of what it is asked, and goes on with what it carries.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable

import orjson
import uvloop

from service import open_files
from service.engine.channel import Channel, Kind
from service.engine.http_wire import HttpWire
from service.engine.straight import Straight
from service.engine.wire import Reply, Unreachable, WireError

_FLUSH_SECONDS = 2.0  # that a client gets to take the rest of a chunk whose answer is cut
_TELL_SECONDS = 0.25  # between two counts of pieces
_TIDY_SECONDS = 60.0  # between two looks for servers that nobody asks any more
_YOUNG = 10_000  # as in service.server


class _Stream:
    """One answer, from what the gateway asks to what it wants of it."""

    def __init__(self, number: int, channel: Channel) -> None:
        self._number = number
        self._channel = channel
        self._wanted: asyncio.Queue[tuple[bytes, int] | None] = asyncio.Queue()
        self._half = False  # a chunk is not whole on the client's connection

    def want(self) -> None:
        """The next piece."""
        self._wanted.put_nowait(None)

    def want_poured(self, rest: bytes, file: int | None) -> None:
        """All that may be, on the connection ``file`` behind ``rest``; None: that is lost."""
        if file is None:
            self._tell(Kind.SHORT)
        else:
            self._wanted.put_nowait((rest, file))

    async def run(self, wire: Callable[[], HttpWire], path: str, body: bytes) -> None:
        """Ask, and give what is wanted until the end."""
        try:
            async with wire().ask("POST", path, body) as reply:
                self._tell(Kind.HEAD, reply.status.to_bytes(2, "big"))
                while True:
                    wanted = await self._wanted.get()
                    if wanted is not None:
                        rest, file = wanted
                        await self._pour(reply, socket.socket(fileno=file), rest)
                        continue
                    data = await reply.next()
                    self._tell(Kind.DATA, data)
                    if not data:
                        return
        except Unreachable as exc:
            if _file_is_left():
                self._tell(Kind.LOST, b"u" + str(exc).encode())
            else:
                self._tell(Kind.SHORT)
        except WireError as exc:
            self._tell(Kind.LOST, b"b" + str(exc).encode())
        except Exception as exc:
            self._tell(Kind.LOST, b"b" + repr(exc).encode())
            raise

    def end(self) -> None:
        """Let go of everything, whether or not :meth:`run` has begun."""
        while not self._wanted.empty():
            if (wanted := self._wanted.get_nowait()) is not None:
                os.close(wanted[1])
        self._tell(Kind.OVER, bytes([self._half]))

    async def _pour(self, reply: Reply, connection: socket.socket, rest: bytes) -> None:
        straight = Straight(connection, rest)
        telling = asyncio.create_task(self._count(straight))
        try:
            while True:
                await reply.pour(straight)
                await straight.flush()
                left = await reply.next()
                if not left or not straight.take(left):
                    break
        finally:
            telling.cancel()
            with contextlib.suppress(TimeoutError):  # half a chunk would spoil what its owner says next
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await straight.flush()
            self._half = not straight.is_whole
            straight.close()
        counted = straight.events.counted
        found = bytes([not left]) + len(counted).to_bytes(4, "big") + counted
        self._tell(Kind.POURED, found + straight.events.rest + left)

    async def _count(self, straight: Straight) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            if straight.heard:
                self._tell(Kind.HEARD, straight.heard.to_bytes(4, "big"))
                straight.heard = 0

    def _tell(self, kind: Kind, payload: bytes = b"") -> None:
        self._channel.send(kind, self._number, payload)


class _Worker:
    """The streams of one process."""

    def __init__(self, end: socket.socket) -> None:
        self.ended = asyncio.Event()
        self._channel = Channel(end, self._take, self.ended.set)
        self._streams: dict[int, tuple[_Stream, asyncio.Task[None]]] = {}
        self._wires: dict[tuple[str, str | None], HttpWire] = {}

    def begin(self) -> None:
        """Say that streams may come."""
        self._channel.send(Kind.READY, 0)

    def tidy(self) -> None:
        """Forget the servers that nobody asks any more: one that starts anew may be at another address."""
        for server, wire in list(self._wires.items()):
            if wire.is_quiet:
                wire.close()
                del self._wires[server]

    def _take(self, kind: Kind, number: int, payload: bytes, file: int | None) -> None:
        if kind is Kind.ASK:
            head, _, body = payload.partition(b"\n")
            asked = orjson.loads(head)
            server = asked["url"], asked["key"]
            stream = _Stream(number, self._channel)
            task = asyncio.create_task(stream.run(lambda: self._wire(*server), asked["path"], body))
            self._streams[number] = stream, task
            task.add_done_callback(lambda _: self._ended(number))
        elif number not in self._streams:  # it ended before it was heard
            if file is not None:
                os.close(file)
        elif kind is Kind.CUT:
            self._streams[number][1].cancel()
        elif kind is Kind.POUR:
            self._streams[number][0].want_poured(payload, file)
        else:
            self._streams[number][0].want()

    def _wire(self, url: str, key: str | None) -> HttpWire:
        return self._wires.get((url, key)) or self._wires.setdefault((url, key), HttpWire(url, key))

    def _ended(self, number: int) -> None:
        stream, task = self._streams.pop(number)
        stream.end()
        if not task.cancelled() and (error := task.exception()) is not None:
            traceback.print_exception(error)


async def _run(end: socket.socket) -> None:
    worker = _Worker(end)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
    worker.begin()
    while not worker.ended.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIDY_SECONDS):
                await worker.ended.wait()
        worker.tidy()


def _file_is_left() -> bool:
    """Whether another file may be opened."""
    try:
        os.close(os.dup(sys.stderr.fileno()))
    except OSError:
        return False
    return True


def main(words: list[str]) -> None:
    """Work until the gateway is gone."""
    open_files.allow_most()
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the gateway's, which ends us in its time
        signal.signal(one, signal.SIG_IGN)
    with socket.socket(fileno=int(words[0])) as end:
        uvloop.run(_run(end))


if __name__ == "__main__":
    main(sys.argv[1:])
