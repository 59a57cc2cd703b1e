"""HTTP/1.1 to one server: connections that are kept alive, one request at a time on each.

A general client took most of the gateway's time (``docs/log.md``). There are no redirects, cookies, proxies
nor compression, and nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import httpx

from service.engine.connection import Connection
from service.engine.wire import Reply, Unreachable

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 3.0  # vLLM hangs up after 5; a request that meets that would be lost
_MOST_IDLE = 256


class HttpWire:
    """As many connections to ``url`` as are needed at once."""

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if tls else 80)
        self._tls = httpx.create_ssl_context(trust_env=False) if tls else None
        self._prefix = parts.path.rstrip("/")
        lines = [f"host: {parts.netloc.rpartition('@')[2]}", "accept: */*", "accept-encoding: identity"]
        if key:
            lines.append(f"authorization: Bearer {key}")
        elif parts.username is not None:
            named = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            lines.append(f"authorization: Basic {base64.b64encode(named).decode()}")
        self._lines = "\r\n".join(lines)
        self._idle: deque[tuple[Connection, float]] = deque()  # and since when: the longest is the first
        self._busy: set[Connection] = set()
        self._closed = False

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[Reply, None]:
        """See :class:`Wire`."""
        connection = self._kept() or await self._connect()
        self._busy.add(connection)
        try:
            content = (
                "" if body is None else f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            )
            head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._lines}\r\n{content}\r\n"
            await connection.send(head.encode("latin-1") + (body or b""))
            yield connection
        finally:
            self._busy.discard(connection)
            if connection.reusable and not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.abort()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way, and nothing is kept that could be used again."""
        fresh = time.monotonic() - _IDLE_SECONDS
        return not self._busy and not any(since >= fresh for _, since in self._idle)

    def close(self) -> None:
        """Hang up, now or once the answers under way are over."""
        self._closed = True
        for connection, _ in self._idle:
            connection.abort()
        self._idle.clear()

    def cut(self) -> None:
        """See :class:`Wire`."""
        for connection in self._busy:
            connection.abort()

    def _kept(self) -> Connection | None:
        before = time.monotonic() - _IDLE_SECONDS
        while self._idle and self._idle[0][1] < before:  # also where a fresher one is taken
            self._idle.popleft()[0].abort()
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    Connection, self._host, self._port, ssl=self._tls
                )
        except (OSError, UnicodeError) as exc:  # a TimeoutError is the former, an impossible name the latter
            raise Unreachable(str(exc)) from exc
        return connection
