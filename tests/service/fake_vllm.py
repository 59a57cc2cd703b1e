"""A small server that answers as vLLM does, and misbehaves where a test tells it to."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.service.streaming import sse, usage

BASE = "pointsman-demo"
_WORDS = 0x110000  # numbers of tokens from here on are words


def say(body: dict[str, Any]) -> str:
    """The default answer: what the user said last, and which model says it."""
    last = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    return f"{body['model']} heard {last}"


@dataclass
class FakeVLLM:
    """State and faults of the fake; ``app`` serves it."""

    answer: Callable[[dict[str, Any]], str] = say
    models: set[str] = field(default_factory=lambda: {BASE})
    odd: bytes | None = None  # what stands in the list of models' place
    models_wait: asyncio.Event | None = None  # the list of models waits for it
    requests: list[dict[str, Any]] = field(default_factory=list)  # bodies of generations
    tokens: list[dict[str, Any]] = field(default_factory=list)  # bodies about tokens
    loads: list[dict[str, Any]] = field(default_factory=list)  # bodies of loads
    sent: list[bytes] = field(default_factory=list)  # every body that was answered
    refuse: tuple[int, str] | None = None  # status and message for every generation
    against: Callable[[dict[str, Any]], tuple[int, str] | None] = lambda _: None  # the same for one
    healthy: bool | None = True  # what /health says; None: nothing for a second
    looks: int = 0  # at /health
    error_event: tuple[int, str] | None = None  # code and message as the first event of a stream
    break_after: int | None = None  # chunks, after which the connection breaks
    reason: str = "stop"  # why every generation ends
    extra: dict[str, Any] = field(default_factory=dict)  # fields of every choice beyond OpenAI's
    cut: int = 0  # bytes of the chunk at the break that still get through
    gate: asyncio.Event | None = None  # generations wait for it after their first text
    words: list[str] = field(default_factory=list)  # that it wrote; each is a token, beside the letters
    active: int = 0  # generations under way
    aborted: int = 0  # generations whose client went away

    @property
    def app(self) -> Starlette:
        """The server."""
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._generate, methods=["POST"]),
                Route("/v1/completions", self._generate, methods=["POST"]),
                Route("/tokenize", self._tokens, methods=["POST"]),
                Route("/detokenize", self._tokens, methods=["POST"]),
                Route("/v1/load_lora_adapter", self._load, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self._unload, methods=["POST"]),
            ]
        )

    async def _health(self, _: Request) -> Response:
        self.looks += 1
        if self.healthy is None:
            await asyncio.sleep(1)
        return Response(status_code=200 if self.healthy else 503)

    async def _models(self, _: Request) -> Response:
        if self.models_wait is not None:
            await self.models_wait.wait()
        if self.odd is not None:
            return Response(self.odd, media_type="text/html")
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "vllm"} for name in self.models]
        return JSONResponse({"object": "list", "data": data})

    async def _tokens(self, request: Request) -> Response:
        body = await request.json()
        self.tokens.append(body)
        if self.refuse is not None:
            return _error(*self.refuse)
        if request.url.path == "/detokenize":
            return JSONResponse({"prompt": "".join(map(self._read, body["tokens"]))})
        text = body["prompt"] if "prompt" in body else body["messages"][-1].get("content")
        tokens = [ord(letter) for letter in str(text)]
        return JSONResponse({"count": len(tokens), "max_model_len": 2048, "tokens": tokens})

    def _read(self, token: int) -> str:
        return chr(token) if token < _WORDS else dict(enumerate(self.words, _WORDS)).get(token, "\ufffd")

    def tokens_of(self, body: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
        """What a choice has more where its tokens are asked for."""
        if not body.get("return_token_ids"):
            return {}
        self.words += [piece for piece in pieces if piece not in self.words]
        return {"token_ids": [_WORDS + self.words.index(piece) for piece in pieces]}

    async def _load(self, request: Request) -> Response:
        body = await request.json()
        self.loads.append(body)
        self.models.add(body["lora_name"])
        return Response(f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    async def _unload(self, request: Request) -> Response:
        body = await request.json()
        if body["lora_name"] not in self.models:
            return _error(404, f"The lora adapter '{body['lora_name']}' cannot be found.")
        self.models.discard(body["lora_name"])
        return Response(f"Success: LoRA adapter '{body['lora_name']}' removed successfully.")

    async def _generate(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        if (refused := self.refuse or self.against(body)) is not None:
            return _error(*refused)
        if body["model"] not in self.models:
            return _error(404, f"The model `{body['model']}` does not exist.")
        if body.get("stream_options") and not body.get("stream"):
            return _error(400, "Stream options can only be defined when `stream=True`.")
        chat = request.url.path.endswith("/chat/completions")
        if body.get("stream"):
            return _Stream(self._stream(body, chat), self)
        async with _Counted(self):
            await self._wait(request)
        text = self.answer(body)
        extra = {"finish_reason": self.reason, **self.tokens_of(body, _pieces(text)), **self.extra}
        whole = _whole(body, text, chat, extra)
        data = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
        self.sent.append(data)
        return Response(data, media_type="application/json")

    async def _wait(self, request: Request) -> None:
        if self.gate is None:
            return
        waiting = asyncio.ensure_future(self.gate.wait())
        try:
            while not waiting.done():
                if await request.is_disconnected():
                    self.aborted += 1
                    return
                await asyncio.wait({waiting}, timeout=0.02)
        finally:
            waiting.cancel()

    async def _stream(self, body: dict[str, Any], chat: bool) -> AsyncGenerator[bytes, None]:
        if self.error_event is not None:
            code, message = self.error_event
            error = {"message": message, "type": "BadRequestError", "param": None, "code": code}
            yield sse({"error": error})
            yield b"data: [DONE]\n\n"
            return
        pieces = _pieces(self.answer(body))
        for index, chunk in enumerate(_chunks(body, pieces, chat, self)):
            if self.break_after is not None and index >= self.break_after:
                yield chunk[: self.cut]
                raise ConnectionResetError
            yield chunk
            if index == int(chat) and self.gate is not None:
                await self.gate.wait()


class _Counted:
    def __init__(self, fake: FakeVLLM) -> None:
        self._fake = fake

    async def __aenter__(self) -> None:
        self._fake.active += 1

    async def __aexit__(self, *_: object) -> None:
        self._fake.active -= 1


class _Stream(StreamingResponse):
    """Streams, counts, keeps what it sent, and breaks off the connection on ConnectionResetError."""

    def __init__(self, content: AsyncGenerator[bytes, None], fake: FakeVLLM) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._pieces = content
        self._fake = fake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with _Counted(self._fake):
            sending = asyncio.ensure_future(self._send_all(send))
            leaving = asyncio.ensure_future(_left(receive))
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not sending.done():
                self._fake.aborted += 1
                sending.cancel()
                await asyncio.wait({sending})
                return
            sending.result()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sent = b""
        async for piece in self._pieces:
            sent += piece
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._fake.sent.append(sent)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _whole(body: dict[str, Any], text: str, chat: bool, extra: dict[str, Any]) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": "stop"}
    if chat:
        choice["message"] = {"role": "assistant", "content": text, "tool_calls": []}
    else:
        choice["text"] = text
    return {**_head(body, chat, stream=False), "choices": [{**choice, **extra}], "usage": _usage(text)}


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def _chunks(body: dict[str, Any], pieces: list[str], chat: bool, fake: FakeVLLM) -> list[bytes]:
    head = _head(body, chat, stream=True)
    found: list[dict[str, Any]] = []
    if chat:
        found.append({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
        for piece in pieces:
            tokens = fake.tokens_of(body, [piece])
            found.append({"index": 0, "delta": {"content": piece}, "finish_reason": None, **tokens})
        found.append({"index": 0, "delta": {}, "finish_reason": fake.reason})
    else:
        found += [{"index": 0, "text": piece, "finish_reason": None} for piece in pieces]
        found.append({"index": 0, "text": "", "finish_reason": fake.reason})
    options = body.get("stream_options") or {}
    along = options.get("continuous_usage_stats")
    events = [
        sse(
            {
                **head,
                "choices": [{**choice, **fake.extra}],
                **({"usage": _counted(min(at, len(pieces)))} if along else {}),
            }
        )
        for at, choice in enumerate(found)
    ]
    if options.get("include_usage"):
        events.append(sse({**head, "choices": [], "usage": _usage("".join(pieces))}))
    return [*events, b"data: [DONE]\n\n"]


def _head(body: dict[str, Any], chat: bool, *, stream: bool) -> dict[str, Any]:
    kind = ("chat.completion.chunk" if stream else "chat.completion") if chat else "text_completion"
    asked = zlib.crc32(json.dumps(body, sort_keys=True).encode())  # who asks the same gets the same id
    name = f"{'chatcmpl' if chat else 'cmpl'}-{asked:08x}"
    return {"id": name, "object": kind, "created": 1, "model": body["model"]}


def _usage(text: str) -> dict[str, int]:
    return _counted(len(text.split(" ")))


def _counted(words: int) -> dict[str, int]:
    return usage(3, words)


def _error(status: int, message: str) -> Response:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": error}, status)
