"""One vLLM server over its HTTP API. httpx's and vLLM's errors become ours here and nowhere else.

No retries: who calls knows if a request may be sent twice. No timeout between bytes either: a long prompt
on a full engine is silent for long, and the gateway bounds every request as a whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from service.errors import EngineRefused, EngineUnavailable

log = logging.getLogger("pointsman.engine")

_CONNECT_SECONDS = 5.0
_PROBE_SECONDS = 5.0
_ERROR_EVENT = b'data: {"error":'
_DONE = b"data: [DONE]"
_TAIL = 32  # bytes of what was seen that are looked at again: more than either of them
_MESSAGE_CHARACTERS = 2_000
_ENGINE_DEAD = re.compile(r"EngineCore|EngineDead|engine.{0,20}(dead|died|shut)", re.IGNORECASE)


class EngineClient:
    """A connection pool to one server; keep one for as long as the server lives."""

    def __init__(
        self, url: str, key: str | None = None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.calls = 0  # generations under way
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"accept-encoding": "identity"} | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=256),
            trust_env=False,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"EngineClient({self.url})"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def complete(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The answer's JSON bytes.

        Raises:
            EngineUnavailable: no connection, a broken one, or the engine failed.
            EngineRefused: the engine's 4xx.
        """
        self.calls += 1
        try:
            return await self._send("POST", path, body)
        finally:
            self.calls -= 1

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer's server-sent events as they arrive, cut anywhere, ``data: [DONE]`` included.

        Closing the generator closes the connection, which makes vLLM abort the request.

        Raises:
            EngineUnavailable: as in :meth:`complete`, and for a stream that breaks before its end.
            EngineRefused: the engine's 4xx, before the first byte or as an error event.
        """
        self.calls += 1
        try:
            async with self._http.stream("POST", path, content=_dump(body), headers=_JSON) as response:
                if response.is_error:
                    raise _refusal(response.status_code, await response.aread())
                tail = b""
                chunks = response.aiter_raw()
                async for chunk in chunks:
                    seen = tail + chunk
                    at = seen.find(_ERROR_EVENT)
                    if at >= 0 and (at == 0 or seen[at - 1 : at] == b"\n"):
                        raise _refusal_in(seen[at:] + b"".join([rest async for rest in chunks]))
                    tail = seen[-_TAIL:]
                    yield chunk
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _broken(exc) from exc
        finally:
            self.calls -= 1
        if not tail.rstrip().endswith(_DONE):
            raise EngineUnavailable("the engine ended the answer in the middle")

    async def get(self, path: str) -> Any:
        """The parsed JSON at ``path``."""
        return orjson.loads(await self._send("GET", path, None))

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
        """The names that the server answers to, the base's and its adapters'."""
        return {str(card["id"]) for card in (await self.get("/v1/models"))["data"]}

    async def healthy(self) -> bool:
        """Whether the server answers and says that its engine lives."""
        try:
            return (await self._http.get("/health", timeout=_PROBE_SECONDS)).is_success
        except httpx.HTTPError:
            return False

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, strict: bool = False
    ) -> bytes:
        """``strict``: a 500 is about this request, not about the engine's health."""
        content, headers = (None, None) if body is None else (_dump(body), _JSON)
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise _broken(exc) from exc
        if response.is_error:
            raise _refusal(response.status_code, response.content, strict=strict)
        return response.content


_JSON = {"content-type": "application/json"}


def _dump(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(body), option=orjson.OPT_NON_STR_KEYS)


def _broken(exc: Exception) -> EngineUnavailable:
    return EngineUnavailable(
        "the engine can't be reached"
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout)
        else "the connection to the engine broke"
    )


def _refusal_in(event: bytes) -> EngineUnavailable | EngineRefused:
    """The error that an error event in the middle of a stream stands for."""
    line = event.split(b"\n", 1)[0].removeprefix(b"data: ")
    try:
        status = int(orjson.loads(line)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
    return _refusal(status, line)


def _refusal(status: int, body: bytes, *, strict: bool = False) -> EngineUnavailable | EngineRefused:
    message = _message(body)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        log.error("the engine does not accept our key: %s", message)
        return EngineUnavailable("the engine does not accept the gateway's key")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR or (
        strict and status == HTTPStatus.INTERNAL_SERVER_ERROR and not _ENGINE_DEAD.search(message)
    ):
        return EngineRefused(status, message)
    log.error("the engine answered %d: %s", status, message)
    return EngineUnavailable("the engine failed on this request")


def _message(body: bytes) -> str:
    """vLLM's message in one of the forms it uses, without a traceback."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return "the engine gave no reason"
    error = data.get("error", data) if isinstance(data, dict) else data
    text = error
    if isinstance(error, dict):
        text = error.get("message") or error.get("detail") or "the engine gave no reason"
    text = str(text).split("Traceback (most recent call last)", 1)[0].strip()
    return text[:_MESSAGE_CHARACTERS] or "the engine gave no reason"
