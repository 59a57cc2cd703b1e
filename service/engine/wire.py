"""A server that can be asked over HTTP, as the client sees it; :mod:`service.engine.http_wire` is one.

WireError
├── Unreachable     no connection
└── Broken          one that ended in the middle of an answer, or spoke no HTTP
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lent:
    """A client's connection, for another process to write a streamed answer's middle on."""

    file: int
    rest: bytes  # of an event that has not come whole


class Taker(Protocol):
    """Takes pieces of an answer as they are read."""

    def take(self, data: bytes) -> bool:
        """Send ``data`` on, or say that it is left to who reads."""
        ...


class Outlet(Taker, Protocol):
    """Where a streamed answer goes, and who may lend the connection that it goes on."""

    @property
    def lends(self) -> bool:
        """Whether it may come to that: else its pieces have to pass here."""
        ...

    def lend(self) -> Lent | None:
        """The connection, on which nothing is written here until :meth:`back`; None: not at this moment."""
        ...

    def back(self, counted: bytes) -> None:
        """Have it again; ``counted`` is the last piece with a usage that was written on it, if any was."""
        ...

    def abort(self) -> None:
        """Close the connection at once: what stands on it can't be ended."""
        ...


class Passing(Outlet, Protocol):
    """An outlet as its client hands it to a wire."""

    def heard(self, pieces: int) -> None:
        """So many more have come."""
        ...


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

    async def pour(self, taker: Taker) -> None:
        """Give ``taker`` what comes as it is read, until it does not take it or nothing comes any more.

        :meth:`next` has what it did not take, and the end.
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

    def cut(self) -> None:
        """Hang up on every answer that is under way, which is :class:`Broken` then."""
        ...
