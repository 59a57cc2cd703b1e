"""What the tests of OpenAPI files share: a file, the server that it describes, and changes of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from chains.openapi import OpenApiSource

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://orders.example/v1"}],
    "paths": {
        "/orders/{order}": {
            "parameters": [{"$ref": "#/components/parameters/order"}],
            "get": {
                "operationId": "show_order",
                "summary": "Show an order.",
                "parameters": [
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "X-Language", "in": "header", "schema": {"enum": ["en", "zh"]}},
                ],
            },
            "put": {
                "operationId": "change_order",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}},
                },
            },
        },
        "/away": {"get": {"operationId": "away"}},
        "/large": {"get": {"operationId": "large"}},
        "/slow": {"get": {"operationId": "slow"}},
        "/broken": {"get": {"operationId": "broken"}},
        "/gone": {"get": {}},
    },
    "components": {
        "parameters": {
            "order": {"name": "order", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Change": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        },
    },
}


async def echo(request: Request) -> Response:
    asked = {"path": request.scope["raw_path"].decode(), "query": request.url.query, "method": request.method}
    named = {
        name: request.headers[name] for name in ("x-language", "authorization") if name in request.headers
    }
    return JSONResponse({**asked, **named, "body": (await request.body()).decode()})


async def slow(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


API = Starlette(
    routes=[
        Route("/v1/orders/{order:path}", echo, methods=["GET", "PUT"]),
        Route("/v1/away", lambda _: RedirectResponse("http://127.0.0.1:1/secret")),
        Route("/v1/large", lambda _: PlainTextResponse("x" * 100_000)),
        Route("/v1/slow", slow),
        Route("/v1/broken", lambda _: PlainTextResponse("out of order", 503)),
    ]
)


def source(folder: Path, document: Any = DOCUMENT, **options: Any) -> OpenApiSource:
    (folder / "api.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return OpenApiSource.model_validate({"file": folder / "api.yaml", **options})


def without(*place: str, **change: Any) -> dict[str, Any]:
    """The document with ``change`` in the operation at ``place``."""
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    path, method = place
    document["paths"][path][method] |= change
    return document
