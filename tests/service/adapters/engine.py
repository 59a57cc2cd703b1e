"""A stand-in for vLLM that keeps adapters as vLLM does, and misbehaves where a test tells it to."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.engine import EngineClient
from service.engine.wire import Taker

BASE = "pointsman-demo"


@dataclass
class FakeEngine:
    """One server; ``client()`` talks to it without a socket."""

    loaded: dict[str, str] = field(default_factory=dict)  # name → digest of its weights
    history: list[str] = field(default_factory=list)  # "load NAME" and "unload NAME"
    asked: list[str] = field(default_factory=list)  # names of models, a request each
    effects: dict[str, float] = field(default_factory=dict)  # name → what it changes; else by weights
    without_effect: set[str] = field(default_factory=set)  # aliases
    refuses: dict[str, str] = field(default_factory=dict)  # alias → message
    keeps: set[str] = field(default_factory=set)  # names that can't be unloaded
    loading: asyncio.Event | None = None  # loads wait for it
    up: bool = True
    url: str = "http://engine"

    def client(self) -> EngineClient:
        """A new client, as after every start."""
        return EngineClient(self.url, wire=_Called(self._app()))

    def restart(self) -> None:
        """Forget all adapters."""
        self.loaded.clear()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", lambda _: Response(status_code=200 if self.up else 503)),
                Route("/v1/models", self._models),
                Route("/v1/load_lora_adapter", self._load, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self._unload, methods=["POST"]),
                Route("/v1/completions", self._complete, methods=["POST"]),
            ]
        )

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in (BASE, *self.loaded)]})

    async def _load(self, request: Request) -> Response:
        body = await request.json()
        name, alias = body["lora_name"], body["lora_name"].split("@")[0]
        if self.loading is not None:
            await self.loading.wait()
        if alias in self.refuses:
            return _error(500, self.refuses[alias])
        if name in self.loaded:
            return _error(400, f"The lora adapter '{name}' has already been loaded.")
        content = (Path(body["lora_path"]) / "adapter_model.safetensors").read_bytes()
        self.loaded[name] = hashlib.sha256(content).hexdigest()
        self.history.append(f"load {name}")
        return Response("Success")

    async def _unload(self, request: Request) -> Response:
        name = (await request.json())["lora_name"]
        if name in self.keeps:
            return _error(500, "it stays")
        if self.loaded.pop(name, None) is None:
            return _error(404, f"The lora adapter '{name}' cannot be found.")
        self.history.append(f"unload {name}")
        return Response("Success")

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        model = body["model"]
        self.asked.append(model)
        if model != BASE and model not in self.loaded:
            return _error(404, f"The model `{model}` does not exist.")
        no_effect = model == BASE or model.split("@")[0] in self.without_effect
        by_weights = 0.0 if no_effect else int(self.loaded[model][:4], 16) / 65536 + 0.1
        shift = self.effects.get(model, by_weights)
        if not math.isfinite(shift):
            return _error(500, f"Out of range float values are not JSON compliant: {shift}")
        choices = [
            {"index": index, "logprobs": {"top_logprobs": [{"token_id:1": -1.0 - shift, "token_id:2": -2.0}]}}
            for index in range(len(body["prompt"]))
        ]
        return JSONResponse({"choices": choices})


class _Called:
    """A wire that calls an application."""

    def __init__(self, app: Starlette) -> None:
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine")

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes | None) -> AsyncGenerator[_Answer, None]:
        headers = {"content-type": "application/json"} if body is not None else None
        answer = await self._http.request(method, path, content=body, headers=headers)
        yield _Answer(answer.status_code, [answer.content])

    def close(self) -> None:
        pass

    def cut(self) -> None:
        pass


@dataclass
class _Answer:
    status: int
    left: list[bytes]

    async def next(self) -> bytes:
        return self.left.pop() if self.left else b""

    async def pour(self, taker: Taker) -> None:
        """Nothing comes after what there is."""


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "code": status}}, status)
