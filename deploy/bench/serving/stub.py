"""An endpoint that answers at once, to see what the load generator and a gateway reach by themselves.

``python -m deploy.bench.serving.stub --port 9000 --tokens 128 --model a`` answers as vLLM would, with words
that cost nothing: the bytes of an answer are made once and sent in one piece. ``--every 0.01`` sends a token
each hundredth of a second instead.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import cast

import httptools
import orjson
import uvloop


class Canned:
    """The bytes of every answer."""

    def __init__(self, models: Sequence[str], tokens: int) -> None:
        head = {"id": "chatcmpl-0", "created": 1, "model": models[0]}
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        words = [f" wor{at % 10}" for at in range(tokens)]  # LiteLLM ends an answer that says one for ever
        message = {"role": "assistant", "content": "".join(words)}
        whole = {"index": 0, "message": message, "finish_reason": "length"}
        self.whole = _response(
            orjson.dumps({**head, "object": "chat.completion", "choices": [whole], "usage": usage})
        )
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "stub"} for name in models]
        self.models = _response(orjson.dumps({"object": "list", "data": listed}))
        deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word} for word in words]
        chunk = {**head, "object": "chat.completion.chunk"}
        events = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        events.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
        events.append({**chunk, "choices": [], "usage": usage})
        pieces = [b"data: " + orjson.dumps(event) + b"\n\n" for event in events] + [b"data: [DONE]\n\n"]
        self.stream_head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        self.pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        self.end = b"0\r\n\r\n"


def _response(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


class Stub(asyncio.Protocol):
    """One connection."""

    def __init__(self, canned: Canned, every: float) -> None:
        self._canned = canned
        self._every = every
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._body = b"", b""
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sending is not None:
            self._sending.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._transport is not None
        canned = self._canned
        if not self._url.endswith(b"completions"):
            self._transport.write(canned.models)
        elif orjson.loads(self._body).get("stream") is not True:
            self._transport.write(canned.whole)
        elif not self._every:
            self._transport.write(b"".join([canned.stream_head, *canned.pieces, canned.end]))
        else:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        assert self._transport is not None
        self._transport.write(self._canned.stream_head)
        for piece in self._canned.pieces:
            self._transport.write(piece)
            await asyncio.sleep(self._every)
        self._transport.write(self._canned.end)


async def serve(models: Sequence[str], tokens: int, every: float, port: int) -> asyncio.Server:
    """A running stub on loopback; port 0 is one that is free."""
    canned = Canned(models, tokens)
    return await asyncio.get_running_loop().create_server(lambda: Stub(canned, every), "127.0.0.1", port)


async def _forever(given: argparse.Namespace) -> None:
    server = await serve(given.model, given.tokens, given.every, given.port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="An endpoint that answers at once.")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--tokens", type=int, default=128, help="of every answer")
    parser.add_argument("--every", type=float, default=0.0, help="seconds between tokens of a stream")
    parser.add_argument("--model", action="append", default=None, help="a name that it lists; repeat")
    given = parser.parse_args()
    given.model = given.model or ["stub"]
    uvloop.run(_forever(given))


if __name__ == "__main__":
    main()
