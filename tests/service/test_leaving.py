"""Clients that close the connection of a stream: at its end, which is no loss, and before it."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware import Guard, Observe, record_of
from service.metrics import Metrics


@pytest.mark.parametrize(
    ("last", "error"), [(b"data: [DONE]\n\n", None), (b'data: {"choices": []}\n\n', "client_gone")]
)
async def test_a_stream_whose_end_was_sent_is_not_aborted(last: bytes, error: str | None) -> None:
    left, asked = asyncio.Event(), asyncio.Event()
    ended: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": last, "more_body": True})
        for _ in range(20):  # turns of the loop, in which the client is seen to leave
            await asyncio.sleep(0)
        ended.append(True)  # where usage is counted
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> Message:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b"{}", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message.get("body") == last:
            left.set()

    scope: Scope = {"type": "http", "path": "/v1/chat/completions", "method": "POST", "headers": []}
    await Observe(Guard(app, 1_000, 10.0), Metrics())(scope, receive, send)

    assert record_of(scope).error == error
    assert ended == ([] if error else [True])
