"""One vLLM server over its HTTP API. The wire's and vLLM's errors become ours here and nowhere else.

No retries: who calls knows if a request may be sent twice. What is read (a GET) has a limit of time. What is
generated has none between bytes: a long prompt on a full engine is silent for long, and the gateway bounds
every request as a whole.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from service.engine.events import DONE, error_in, says_nothing
from service.engine.http_wire import HttpWire
from service.engine.refusal import refusal, refusal_in
from service.engine.wire import Lent, Outlet, Reply, Unreachable, Wire, WireError
from service.errors import EngineRefused, EngineUnavailable

_PROBE_SECONDS = 5.0  # that anything that is read may take
_SHOWN = 100  # bytes of an answer, in an error
_DONE = b"data: [DONE]"
_BY_API = ("/tokenize", "/detokenize")  # answered by the API server alone
_TAIL = 32  # bytes of what was seen that are looked at again: more than either of them


class Carriers(Protocol):
    """Processes that carry streams: :class:`service.engine.stream_workers.StreamWorkers`."""

    def wire(self, url: str, key: str | None, own: Wire) -> Wire: ...


class EngineClient:
    """A connection pool to one server; keep one for as long as the server lives."""

    def __init__(self, url: str, key: str | None = None, *, wire: Wire | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._shown = re.sub(r"//[^/@]*@", "//", self.url)  # in errors, which may go to clients: no password
        self.calls = 0  # generations under way
        self.waiting = 0  # requests that the engine behind the API server works on: those, loads of adapters
        self.heard = 0  # pieces of such answers that came
        self._asked: Counter[tuple[object, object]] = Counter()  # generations under way: model, and for whom
        self._wire = wire or HttpWire(self.url, key)
        self._key = key
        self._carrying: Wire | None = None  # another way to the server, for streams whose outlet lends

    def __repr__(self) -> str:
        return f"EngineClient({self.url})"

    def carried_by(self, workers: Carriers) -> None:
        """Have ``workers`` carry streams from now on."""
        self._carrying = workers.wire(self.url, self._key, self._wire)

    async def aclose(self) -> None:
        """Close every connection."""
        self._wire.close()

    def cut(self) -> None:
        """Hang up on what is under way: each of it fails as if the server had gone."""
        self._wire.cut()
        if self._carrying is not None:
            self._carrying.cut()

    async def complete(self, path: str, body: Mapping[str, Any], whose: object = None) -> bytes:
        """The answer's JSON bytes; ``whose`` request it is for, by identity.

        Raises:
            EngineUnavailable: no connection, a broken one, or the engine failed.
            EngineRefused: the engine's 4xx, or a 500 of an engine that lives on: it stumbled over ``body``.
        """
        self._count(body, 1, whose)
        try:
            return await self._send("POST", path, body)
        finally:
            self._count(body, -1, whose)

    async def stream(
        self, path: str, body: Mapping[str, Any], outlet: Outlet | None = None, whose: object = None
    ) -> AsyncGenerator[bytes, None]:
        """The answer's server-sent events as they arrive, cut anywhere, ``data: [DONE]`` included.

        What ``outlet`` takes is not among them. Closing the generator closes the connection, which makes vLLM
        abort the request. The chunks by which choices begin come with what follows: vLLM sends them before it
        looks whether it can answer at all, so that a refusal may be the next thing that it says.

        Raises:
            EngineUnavailable: as in :meth:`complete`, and for a stream that breaks before its end.
            EngineRefused: as in :meth:`complete`, before the first byte or as an error event, before which
                what came with it is given.
        """
        self._count(body, 1, whose)
        self.waiting += 1
        passing = None if outlet is None else _Passing(self, outlet)
        lends = outlet is not None and outlet.lends
        wire = self._carrying if self._carrying is not None and lends else self._wire
        tail, opening = b"", b""
        begun = False
        try:
            async with wire.ask("POST", path, _dump(body)) as reply:
                if reply.status >= HTTPStatus.BAD_REQUEST:
                    strict = await self._is_well_after(reply.status)
                    raise refusal(reply.status, await _rest(reply), body, strict=strict)
                while chunk := await reply.next():
                    self.heard += 1
                    seen = tail + chunk
                    if (at := error_in(seen)) is not None:
                        chunk = seen[len(tail) : at]
                    if not begun:
                        opening += chunk
                        chunk, begun = opening, not says_nothing(opening)
                    if begun and chunk:
                        yield chunk
                    if at is not None:
                        event = seen[at:] + await _rest(reply)
                        raise refusal_in(event, body, strict=await self.healthy())
                    tail = seen[-_TAIL:]
                    if not begun:
                        continue
                    if passing is not None and not tail.endswith(DONE):
                        passing.tail = tail
                        await reply.pour(passing)
                        tail = passing.tail
        except WireError as exc:
            raise _broken(exc) from exc
        finally:
            self.waiting -= 1
            self._count(body, -1, whose)
        if not tail.rstrip().endswith(_DONE):
            raise EngineUnavailable("the engine ended the answer in the middle")

    def is_using(self, model: str) -> bool:
        """Whether a generation on ``model`` is under way."""
        return any(model == asked for asked, _ in self._asked)

    @property
    def requests(self) -> dict[object, str]:
        """The requests that generations are under way for, each with its model."""
        return {whose: str(model) for model, whose in self._asked if whose is not None}

    async def get(self, path: str) -> Any:
        """The parsed JSON at ``path``.

        Raises:
            EngineUnavailable: as in :meth:`complete`, or nothing came in time, or no JSON did.
            EngineRefused: the engine's 4xx.
        """
        content = await self._read(path)
        try:
            return orjson.loads(content)
        except ValueError as exc:
            raise self.strange(f"GET {path}", "JSON", content) from exc

    async def text(self, path: str) -> str:
        """The text at ``path``; what it raises is as in :meth:`get`."""
        content = await self._read(path)
        try:
            return content.decode()
        except ValueError as exc:
            raise self.strange(f"GET {path}", "text", content) from exc

    async def load_adapter(self, name: str, path: str) -> None:
        """Make the artefact in folder ``path`` (as the server sees it) answer to ``name``.

        Raises:
            EngineUnavailable: the engine is gone.
            EngineRefused: it can't load this; the message is vLLM's.
        """
        await self._send("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": path}, strict=True)

    async def unload_adapter(self, name: str) -> None:
        """Forget ``name``; one that isn't loaded is fine."""
        try:
            await self._send("POST", "/v1/unload_lora_adapter", {"lora_name": name}, strict=True)
        except EngineRefused as exc:
            if exc.status != HTTPStatus.NOT_FOUND:
                raise

    async def models(self) -> set[str]:
        """The names that the server answers to, the base's and its adapters'; raises as :meth:`get`."""
        found = await self.get("/v1/models")
        try:
            return {str(card["id"]) for card in found["data"]}
        except (LookupError, TypeError) as exc:
            raise self.strange("GET /v1/models", "list of models", orjson.dumps(found)) from exc

    def strange(self, asked: str, expected: str, content: bytes) -> EngineUnavailable:
        """The error for an answer to ``asked`` (method and path) that is not what was ``expected``."""
        shown = content[:_SHOWN].decode(errors="replace")
        return EngineUnavailable(f"{self._shown} answered {asked} with no {expected}: {shown!r}")

    async def healthy(self) -> bool:
        """Whether the server answers and says that its engine lives."""
        return await self._health() in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)

    async def answers(self) -> bool:
        """Whether the server answers, if only that its engine is dead."""
        return await self._health() is not None

    async def _health(self) -> int | None:
        """The status of ``/health``; None: there was no answer in time."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS), self._wire.ask("GET", "/health", None) as reply:
                await _rest(reply)
                return reply.status
        except (WireError, TimeoutError):
            return None

    def _count(self, body: Mapping[str, Any], more: int, whose: object = None) -> None:
        self.calls += more
        asked = body.get("model"), whose
        self._asked[asked] += more
        if not self._asked[asked]:
            del self._asked[asked]

    async def _read(self, path: str) -> bytes:
        """What stands at ``path``."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                return await self._send("GET", path, None)
        except TimeoutError as exc:
            reason = f"{self._shown} has not answered GET {path} within {_PROBE_SECONDS:g} s"
            raise EngineUnavailable(reason) from exc

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, strict: bool = False
    ) -> bytes:
        """``strict``: a 500 is about this request, not about the engine's health."""
        of_engine = method == "POST" and path not in _BY_API
        self.waiting += of_engine
        try:
            async with self._wire.ask(method, path, None if body is None else _dump(body)) as reply:
                status, content = reply.status, await _rest(reply)
        except WireError as exc:
            raise _broken(exc) from exc
        finally:
            self.waiting -= of_engine
        if status >= HTTPStatus.BAD_REQUEST:
            strict = strict or (method == "POST" and await self._is_well_after(status))
            raise refusal(status, content, body, strict=strict)
        self.heard += of_engine
        return content

    async def _is_well_after(self, status: int) -> bool:
        """Whether ``status`` is a 500 that was about the request: the engine still says that it lives."""
        return status == HTTPStatus.INTERNAL_SERVER_ERROR and await self.healthy()


class _Passing:
    """An outlet as the client hands it to its wire: error events are not for it, and pieces are counted."""

    def __init__(self, client: EngineClient, outlet: Outlet) -> None:
        self.tail = b""  # of what was seen
        self._client = client
        self._outlet = outlet

    @property
    def lends(self) -> bool:
        return self._outlet.lends

    def take(self, data: bytes) -> bool:
        """See :class:`Outlet`."""
        self._client.heard += 1
        seen = self.tail + data
        if error_in(seen) is not None or not self._outlet.take(data):
            return False
        self.tail = seen[-_TAIL:]
        return True

    def lend(self) -> Lent | None:
        """See :class:`Outlet`."""
        return self._outlet.lend()

    def back(self, counted: bytes) -> None:
        """See :class:`Outlet`; what was written elsewhere ended with whole events."""
        self.tail = b"\n\n"
        self._outlet.back(counted)

    def abort(self) -> None:
        """See :class:`Outlet`."""
        self._outlet.abort()

    def heard(self, pieces: int) -> None:
        """See :class:`Passing`."""
        self._client.heard += pieces


async def _rest(reply: Reply) -> bytes:
    """All of an answer that has not been read."""
    pieces = []
    while piece := await reply.next():
        pieces.append(piece)
    return b"".join(pieces)


def _dump(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(body), option=orjson.OPT_NON_STR_KEYS)


def _broken(exc: WireError) -> EngineUnavailable:
    return EngineUnavailable(
        "the engine can't be reached"
        if isinstance(exc, Unreachable)
        else "the connection to the engine broke"
    )
