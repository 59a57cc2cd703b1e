"""One model's completions: what a chain talks to, whichever server answers.

A request that could not even be sent, because its server is gone and nobody has noticed yet, goes to another.
One that was sent is never sent twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from service.body.conversation import beginning
from service.engine.client import EngineClient
from service.engine.placement import Beginning
from service.engine.wire import Outlet, Unreachable
from service.errors import EngineUnavailable

CHAT = "/v1/chat/completions"


class Servers(Protocol):
    """The servers that are up: the pool."""

    def clients(self) -> tuple[EngineClient, ...]: ...

    def client(
        self, model: str | None = None, begins: Beginning = ..., without: Collection[EngineClient] = ()
    ) -> EngineClient: ...


_GREEDY = 1e-5  # vLLM takes a lower temperature for 0


class BoundEngine:
    """``path`` of one model, for one request; of its streams ``outlet`` is given what it takes."""

    def __init__(self, servers: Servers, model: str, path: str, outlet: Outlet | None = None) -> None:
        self._servers = servers
        self._model = model
        self._path = path
        self._outlet = outlet

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON."""
        asked, begins = {**_drawn(body), "model": self._model}, self._begins(body)
        gone: set[EngineClient] = set()
        while True:
            client = self._servers.client(self._model, begins, gone)
            try:
                return await client.complete(self._path, asked, self)
            except EngineUnavailable as exc:
                if not self._may_go_on(exc, client, gone):
                    raise

    def stream(self, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """The answer as server-sent events."""
        asked = {**_drawn(body), "model": self._model, "stream": True}
        if len(self._servers.clients()) == 1:  # no layer more between its bytes and who reads them
            return self._servers.client(self._model).stream(self._path, asked, self._outlet, self)
        return self._stream(asked, self._begins(body))

    async def _stream(self, asked: Mapping[str, Any], begins: Beginning) -> AsyncGenerator[bytes, None]:
        gone: set[EngineClient] = set()
        while True:
            client = self._servers.client(self._model, begins, gone)
            try:
                async with aclosing(client.stream(self._path, asked, self._outlet, self)) as pieces:
                    async for piece in pieces:
                        yield piece
            except EngineUnavailable as exc:
                if not self._may_go_on(exc, client, gone):
                    raise
            else:
                return

    def _begins(self, body: Mapping[str, Any]) -> Beginning:
        return Beginning(*beginning(body)) if len(self._servers.clients()) > 1 else Beginning()

    def _may_go_on(self, error: EngineUnavailable, client: EngineClient, gone: set[EngineClient]) -> bool:
        """Whether nothing was sent and another server is left to ask."""
        gone.add(client)
        return isinstance(error.__cause__, Unreachable) and not gone.issuperset(self._servers.clients())


def _drawn(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """``body`` for vLLM, which draws several answers at a temperature above 0 only.

    The likeliest token each time is what a temperature of 0 means, and all that ``top_k: 1`` leaves.
    """
    if (body.get("n") or 1) == 1 or body.get("use_beam_search"):
        return body
    temperature = body.get("temperature")
    greedy = isinstance(temperature, int | float) and temperature < _GREEDY
    return {**body, "temperature": 1, "top_k": 1} if greedy else body
