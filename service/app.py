"""The application: handlers, what stands around them, and the life of the parts behind them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from service.api import (
    admin,
    board,
    chat,
    completions,
    description,
    embeddings,
    feedback,
    health,
    lora,
    models,
    responses,
    route,
    tokens,
    uploads,
)
from service.api.errors import tell
from service.api.middleware import Guard, Observe, record_of
from service.gateway import Gateway
from service.settings import Settings
from service.wiring import assemble

PARTS = tuple(
    part.router
    for part in (
        *(chat, completions, responses, embeddings, tokens, models, route),
        *(feedback, health, admin, uploads, board, lora, description),
    )
)


def create_app(settings: Settings, make: Callable[[Settings], Gateway] = assemble) -> FastAPI:
    """An application that runs ``make(settings)`` from its start to its end."""
    gateway = make(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await gateway.start()
        try:
            yield
        finally:
            await gateway.stop()

    app = FastAPI(
        title="Pointsman",
        lifespan=lifespan,
        openapi_url=None,  # handlers take bodies as they are: service.api.description says what is in them
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    for part in PARTS:
        app.include_router(part)
    app.add_exception_handler(HTTPException, _http_error)
    bounds = settings.gateway
    app.add_middleware(
        Guard, max_body_bytes=bounds.max_body_bytes, body_seconds=bounds.request_timeout_seconds
    )
    app.add_middleware(Observe, metrics=gateway.metrics)
    return app


def _allowed(request: Request) -> str:
    """The methods of a path, of all its routes; where several fit, of those that say most of it."""
    routes = [route for part in PARTS for route in part.routes if isinstance(route, Route)]
    found = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    least = min((len(route.param_convertors) for route in found), default=0)
    methods = [route.methods or () for route in found if len(route.param_convertors) == least]
    return ", ".join(sorted(set().union(*methods)))


async def _http_error(request: Request, error: Exception) -> Response:
    """No such path or method, in OpenAI's form; OPTIONS is told what a path allows."""
    record = record_of(request.scope)
    if isinstance(error, HTTPException):
        allowed = _allowed(request) if error.status_code == 405 else ""
        if error.status_code == 405 and request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        if error.status_code == 404:
            error = HTTPException(404, f"there is nothing at {request.method} {request.url.path[:200]}")
        elif error.status_code == 405:
            text = f"{request.method} is not allowed at {request.url.path[:200]}; allowed: {allowed}"
            error = HTTPException(405, text, {"Allow": allowed})
    told = tell(error, record.id)
    record.error = told.code
    headers = {name.decode(): value.decode() for name, value in told.headers}
    return Response(told.body, told.status, headers, "application/json")
