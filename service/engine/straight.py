"""A streamed answer's middle, written on its client's connection by a process that does not own it."""

from __future__ import annotations

import asyncio
import socket

from service.engine.events import Events, error_in


class Straight:
    """Writes whole events as chunks of HTTP/1.1 on ``connection`` as long as it may; an outlet of a reply.

    It may not write the answer's end nor an error event, which are the owner's to deal with, and takes
    nothing while its client does not keep up.
    """

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        connection.setblocking(False)
        self.events = Events(rest)
        self.heard = 0  # pieces, since somebody asked
        self.is_gone = False  # the client has left
        self._connection = connection
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self._flushed: asyncio.Future[None] | None = None

    def take(self, data: bytes) -> bool:
        """Send ``data`` of the engine on, or say that it is left."""
        if self._unsent or self.is_gone:
            return False
        self.heard += 1
        if self.events.end_with(data) or error_in(self.events.rest + data) is not None:
            return False
        if piece := self.events.whole(data):
            self._unsent = b"%x\r\n%b\r\n" % (len(piece), piece)
            self._write()
        return True

    @property
    def is_whole(self) -> bool:
        """Whether no part of a chunk is left to be sent."""
        return not self._unsent

    async def flush(self) -> None:
        """Wait until what was taken is sent."""
        if self._unsent:
            self._flushed = self._loop.create_future()
            await self._flushed

    def close(self) -> None:
        """Let go of the connection, which stays its owner's."""
        self._loop.remove_writer(self._connection.fileno())
        self._connection.close()

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.is_gone, self._unsent = True, b""
        if self._unsent:
            self._loop.add_writer(self._connection.fileno(), self._write)
            return
        self._loop.remove_writer(self._connection.fileno())
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)
