"""Requests that come at once: each is on its way to the engine before the next is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from service import live
from service.api.middleware import Guard, Observe
from service.metrics import Metrics
from tests.service.parts import write_settings


async def test_a_request_is_handled_before_the_next_one_begins() -> None:
    order: list[str] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        order.append(f"handled {scope['path']}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    class First:
        """What the server calls first."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            order.append(f"came {scope['path']}")
            await guarded(scope, receive, send)

    guarded = Observe(Guard(app, 1_000, 10.0), Metrics())

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return None

    paths = [f"/{index}" for index in range(3)]
    scopes = [{"type": "http", "method": "GET", "path": path, "headers": []} for path in paths]
    await asyncio.gather(*(First()(scope, receive, send) for scope in scopes))
    assert order == [f"{what} {path}" for path in paths for what in ("came", "handled")]


async def test_a_chain_that_was_named_once_is_there_at_once(tmp_path: Path) -> None:
    """Also while the router is still fitted: no thread is asked, no other request can come between."""
    routes = live.LiveRoutes(write_settings(tmp_path, "http://127.0.0.1:9"))
    found = await routes.chain("direct")
    again = routes.chain("direct")
    with pytest.raises(StopIteration) as ended:  # a coroutine that waits for nothing
        again.send(None)
    assert ended.value.value is found
