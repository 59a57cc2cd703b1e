"""Frames between the gateway and a stream worker: a Unix socket, over which open files go too.

A frame is a head of ten bytes and a payload. What each kind carries, and who sends it:

=========  =======  ==============================================================================
kind       from     payload
=========  =======  ==============================================================================
``ASK``    gateway  a line of JSON, ``{url, key, path}``, and a request's body
``NEXT``   gateway  nothing: the next piece of the answer is wanted
``POUR``   gateway  the rest of a cut event; beside it, the client's connection
``CUT``    gateway  nothing: the answer is not wanted any more
``HEAD``   worker   the answer's status, two bytes
``DATA``   worker   the next piece; empty at the answer's end
``POURED`` worker   whether the answer has ended, a byte; four bytes, how long the last piece with a usage
                    is; that piece; what was not poured
``HEARD``  worker   four bytes, how many pieces came since the last time
``LOST``   worker   a letter, ``u`` for no connection and ``b`` for a broken one, and the reason
``OVER``   worker   whether half a chunk is on the client's connection, a byte: it has let go of all
``READY``  worker   nothing: it works
``SHORT``  worker   nothing: it has no open file for the ``ASK`` or ``POUR``, of which it has done nothing
=========  =======  ==============================================================================
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from enum import IntEnum

_HEAD = struct.Struct(">IIBB")  # bytes of the payload, number of the stream, kind, files beside it
_READ_BYTES = 1 << 18
_MOST_FILES = 64  # in one read


class Kind(IntEnum):
    """What a frame says."""

    ASK = 1
    NEXT = 2
    POUR = 3
    CUT = 4
    HEAD = 5
    DATA = 6
    POURED = 7
    HEARD = 8
    LOST = 9
    OVER = 10
    READY = 11
    SHORT = 12


Take = Callable[[Kind, int, bytes, int | None], object]  # kind, stream, payload, file


class Channel:
    """One end. ``take`` gets each frame and owns its file; ``ended`` is called when the other end is gone.

    A file that finds this process with as many open as it may have is lost; its frame comes without.
    """

    def __init__(self, end: socket.socket, take: Take, ended: Callable[[], object]) -> None:
        end.setblocking(False)
        self._end = end
        self._take = take
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._read = bytearray()
        self._files: deque[int | None] = deque()  # None: lost
        self._open = True
        self._loop.add_reader(end.fileno(), self._readable)

    def send(self, kind: Kind, stream: int, payload: bytes = b"", file: int | None = None) -> None:
        """Send a frame, with a copy of ``file`` beside it; to an end that is gone, nothing."""
        if not self._open:
            return
        copy = None if file is None else os.dup(file)
        frame = _HEAD.pack(len(payload), stream, kind, copy is not None) + payload
        self._unsent.append((memoryview(frame), copy))
        if len(self._unsent) == 1:
            self._writable()

    def close(self) -> None:
        """Stop reading and writing; the other end is told by the socket's end."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        for file in (*self._files, *(file for _, file in self._unsent)):
            if file is not None:
                os.close(file)
        self._files.clear()
        self._unsent.clear()
        self._end.close()

    def _writable(self) -> None:
        try:
            while self._unsent:
                frame, file = self._unsent[0]
                sent = self._end.send(frame) if file is None else socket.send_fds(self._end, [frame], [file])
                if file is not None:
                    os.close(file)
                if sent < len(frame):
                    self._unsent[0] = (frame[sent:], None)
                    continue
                self._unsent.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._end.fileno(), self._writable)
        except OSError:
            self._lost()
        else:
            self._loop.remove_writer(self._end.fileno())

    def _readable(self) -> None:
        try:
            data, files, flags, _ = socket.recv_fds(self._end, _READ_BYTES, _MOST_FILES)
        except BlockingIOError:
            return
        except OSError:
            data, files, flags = b"", [], 0
        if not data:
            self._lost()
            return
        self._files.extend(files)
        if flags & socket.MSG_CTRUNC:  # a read ends behind the first file (unix(7)), so that is the lost one
            self._files.append(None)
        self._read += data
        while self._open and len(self._read) >= _HEAD.size:
            length, stream, kind, has_file = _HEAD.unpack_from(self._read)
            if len(self._read) < _HEAD.size + length:
                return
            payload = bytes(self._read[_HEAD.size : _HEAD.size + length])
            del self._read[: _HEAD.size + length]
            self._take(Kind(kind), stream, payload, self._files.popleft() if has_file else None)

    def _lost(self) -> None:
        if self._open:
            self.close()
            self._ended()
