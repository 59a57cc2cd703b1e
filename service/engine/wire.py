"""A server that can be asked over HTTP, as the client sees it; :mod:`service.engine.http_wire` is one.

WireError
├── Unreachable     no connection
└── Broken          one that ended in the middle of an answer, or spoke no HTTP
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Outlet = Callable[[bytes], bool]  # sends on what is read, or says that it does not


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

    async def pour(self, outlet: Outlet) -> None:
        """Give ``outlet`` what comes as it is read, until it does not take it or nothing comes any more.

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
