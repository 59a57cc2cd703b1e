"""HTTP to a served model: places, attempts, and every failure as an error of this room.

Requests wait for one of ``concurrency`` places, and what may pass (a busy server, a connection that broke) is
tried again; knows no model and no form of answers but that of errors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from training.errors import EndpointError, RequestRefused

ATTEMPTS = 5  # for one request, where no other number is given
FIRST_WAIT = 0.5  # seconds before the second attempt; doubled before each further one
LOOK_SECONDS = 10.0  # for what a server answers at once, or is not fit to answer
LONGEST_WAIT = 30.0  # seconds, also where the server asks for more
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that another attempt may not get


class Transport:
    """``async with Transport(url) as transport: await transport.post("/v1/completions", body)``."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        concurrency: int,
        timeout: float,
        attempts: int = ATTEMPTS,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        """``url`` with or without ``/v1``; ``timeout`` in seconds, for an answer; ``attempts`` for a request.

        ``report`` is told of each attempt but the first, and why there is one.

        Raises:
            EndpointError: ``url`` is no address.
        """
        self.url = url.rstrip("/").removesuffix("/v1")
        self._places, self._attempts = asyncio.Semaphore(concurrency), attempts
        self._timeout, self._report = timeout, report
        try:
            self._client = httpx.AsyncClient(
                base_url=self.url,
                headers={"authorization": f"Bearer {api_key}"} if api_key else {},
                limits=httpx.Limits(max_connections=concurrency),
                trust_env=False,
            )
        except httpx.InvalidURL as exc:
            raise EndpointError(f"{url!r} is no address of a server: {exc}") from exc

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(
        self, path: str, body: Mapping[str, Any], passing: Sequence[int] = PASSING
    ) -> tuple[httpx.Response, float]:
        """The response, and the seconds since the request had a place; ``passing`` statuses are tried again.

        Raises:
            EndpointError: nothing answers, at the last attempt either.
            RequestRefused: the server answers with an error.
        """
        async with self._places:
            began = time.perf_counter()
            response = await self._tried("POST", path, body, passing)
            seconds = time.perf_counter() - began
        if response.is_error:
            raise RequestRefused(
                response.status_code, f"{self.url}{path}: {response.status_code} {message(response)}"
            )
        return response, seconds

    async def get(self, path: str) -> httpx.Response:
        """The response to one attempt, an error's too; it is a look, so it may take ``LOOK_SECONDS``.

        Raises:
            EndpointError: nothing answers.
        """
        return await self._send("GET", path, None, min(self._timeout, LOOK_SECONDS))

    async def _tried(
        self, method: str, path: str, body: Mapping[str, Any], passing: Sequence[int]
    ) -> httpx.Response:
        wait = FIRST_WAIT
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                response = await self._send(method, path, body, self._timeout)
                if last or response.status_code not in passing:
                    return response
                wait = max(wait, _asked_to_wait(response))
                why = f"{self.url}{path} answered {response.status_code} {message(response)}"
            except EndpointError as exc:
                if last:
                    raise
                why = str(exc)
            self._report(f"{why}; try {attempt + 1} of {self._attempts} follows")
            await asyncio.sleep(min(wait, LONGEST_WAIT))
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float
    ) -> httpx.Response:
        timeout = httpx.Timeout(seconds, connect=min(seconds, 10.0))
        try:
            return await self._client.request(method, path, json=body, timeout=timeout)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise EndpointError(f"{self.url!r} is no address of a server: {exc}") from exc
        except httpx.TimeoutException as exc:
            raise EndpointError(f"{self.url}{path} did not answer within {seconds:g} s") from exc
        except httpx.HTTPError as exc:
            raise EndpointError(
                f"nothing answers at {self.url}{path} ({exc or type(exc).__name__}): is the server running?"
            ) from exc


def message(response: httpx.Response) -> str:
    """What the server says is wrong, in OpenAI's form or in another."""
    try:
        found = response.json()
    except ValueError:
        return response.text[:300] or response.reason_phrase
    error = found.get("error", found) if isinstance(found, dict) else found
    return str(error.get("message", error) if isinstance(error, dict) else error)[:300]


def _asked_to_wait(response: httpx.Response) -> float:
    try:
        return float(response.headers.get("retry-after", 0))
    except ValueError:  # a date
        return 0.0
