"""The events of a job as an HTTP response, streamed or not.

Bytes of the engine pass through (:mod:`service.api.relay`); a last look finds the usage.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chains.events import Event, Finish, Raw
from service.api.chunks import ChatForm
from service.api.errors import Told, tell
from service.api.relay import Relay
from service.api.steps import notes_held
from service.body.places import in_clients_places
from service.engine.extras import openai_form
from service.errors import EngineRefused, EngineUnavailable
from service.exchange import Events, Exchange, Job
from service.protocol import PIECES, Pieces
from service.record import Record

log = logging.getLogger("pointsman.errors")

JSON = [(b"content-type", b"application/json")]
SSE = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


def broken(told: Told) -> bytes:
    """The last event of a stream that can't go on."""
    return b"data: " + told.body + b"\n\n"


class Generated(Response):
    """Runs the job while it is sent, so that slot and lease are held until the last byte is out."""

    def __init__(
        self,
        exchange: Exchange,
        job: Job,
        record: Record,
        form: ChatForm,
        relay: Relay | None = None,
        *,
        broken: Callable[[Told], bytes] = broken,
    ) -> None:
        """``broken`` makes the last event of a stream that can't go on."""
        super().__init__()
        self._exchange = exchange
        self._job = job
        self._record = record
        self._form = form
        self._relay = relay or Relay()
        self._broken = broken
        self._heard = self._relay.heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Errors before the first byte are raised; later ones end the stream with an error event."""
        try:
            if self._record.streamed:
                await self._stream(send, scope.get(PIECES))
            else:
                await self._whole(send)
        except EngineRefused as exc:
            said, asked = exc.parameter, self._job.asked
            exc.args = (in_clients_places(str(exc), exc.messages, asked),)
            exc.parameter = said and in_clients_places(said, exc.messages, asked)
            raise
        if self._heard is not None and self._record.error is None:
            self._heard.end()

    async def _whole(self, send: Send) -> None:
        async with self._exchange.open(self._job, self._record) as events:
            found = [event async for event in events]
            self._form.model = self._record.adapter or self._form.model
            raw = [event.data for event in found if isinstance(event, Raw)]
            body = openai_form(b"".join(raw)) if raw else self._form.completion(found)
            _note_usage(self._record, found, body)
        if self._heard is not None:
            self._heard.add(body)
        headers = [*JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, send: Send, straight: Pieces | None) -> None:
        begun = False
        try:
            async with self._exchange.open(self._job, self._record) as events:
                self._form.model = self._record.adapter or self._form.model
                async with aclosing(self._pieces(events)) as pieces:
                    async for piece in pieces:
                        if not begun:
                            await send({"type": "http.response.start", "status": 200, "headers": SSE})
                            begun = True
                        if not piece:
                            continue
                        if self._heard is not None:
                            self._heard.add(piece)
                        if not self._relay.wrote(piece):
                            await send({"type": "http.response.body", "body": piece, "more_body": True})
                            self._relay.open(straight)
            if not begun:
                raise EngineUnavailable("the engine ended the stream before it began")
        except Exception as exc:
            if not begun:
                raise
            told = tell(exc, self._record.id)
            self._record.error = told.code
            await send({"type": "http.response.body", "body": self._broken(told), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pieces(self, events: Events) -> AsyncGenerator[bytes, None]:
        passed = False
        async with aclosing(notes_held(events)) as found:
            async for event in found:
                if isinstance(event, Raw):
                    passed = True
                    yield self._relay.whole(event.data)
                    continue
                _note_usage(self._record, [event], b"")
                for chunk in self._form.chunks(event):
                    yield chunk
        if not passed:  # what ends the engine's bytes is the engine's to tell
            self._form.end()
        yield self._relay.rest()
        _note_usage(self._record, [], self._relay.counted)


def _note_usage(record: Record, events: list[Event], body: bytes) -> None:
    for event in events:
        if isinstance(event, Finish):
            record.count(event.usage.prompt_tokens, event.usage.completion_tokens)
    if b'"usage":' not in body:
        return
    for line in reversed(body.splitlines()):
        usage = _object(line.removeprefix(b"data: ")).get("usage")
        if isinstance(usage, dict):
            record.count(usage.get("prompt_tokens"), usage.get("completion_tokens"))
            return


def _object(text: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
