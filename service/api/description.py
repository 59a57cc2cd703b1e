"""GET /openapi.json: every path with what it takes and gives."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from service.api import description_admin, description_client
from service.api.incoming import Running
from service.api.shapes import ERROR, HTML, NAME, TEXT, Schema, headers_of
from service.errors import NotReady
from service.sections import GatewaySettings

_EVENTS: Schema = {"type": ["string", "object"], "description": "server-sent events, as a text or each"}
_REFERENCE = {"$ref": "#/components/schemas/Error"}

router = APIRouter()


@router.api_route("/openapi.json", methods=["GET", "HEAD"])
async def openapi(gateway: Running) -> dict[str, Any]:
    """The document, with the limits of this gateway."""
    try:
        dimensions = gateway.routes.embedder.dimension
    except NotReady:  # which is what the path answers, too
        dimensions = None
    return described(
        gateway.settings.gateway,
        reads_effort=gateway.reads_effort,
        last_token=gateway.last_token,
        dimensions=dimensions,
    )


def described(
    limits: GatewaySettings,
    *,
    reads_effort: bool = True,
    last_token: int | None = None,
    dimensions: int | None = None,
) -> dict[str, Any]:
    """The OpenAPI document of a gateway with these ``limits``.

    Of its base: whether it ``reads_effort``, and its ``last_token``; of its encoder the ``dimensions``. None:
    not known.
    """
    paths: dict[str, Any] = {}
    client = "client" if limits.api_keys else None
    posts = description_client.posts(limits, last_token, dimensions, reads_effort=reads_effort)
    for path, (summary, body, given) in {**posts, **description_admin.posts()}.items():
        key = "admin" if path.startswith("/admin") or "lora" in path else client
        paths[path] = {"post": _operation(summary, given, key, body, _placed(path))}
    gets = description_client.gets(client)
    for path, (summary, given, whose) in {**gets, **description_admin.gets()}.items():
        operation = _operation(summary, given, whose, None, _placed(path))
        methods = ("get",) if path.startswith("/admin") else ("get", "head")
        paths.setdefault(path, {}).update(dict.fromkeys(methods, operation))
    for path, (summary, given, more) in description_admin.puts().items():
        paths[path] = {"put": _operation(summary, given, "admin", None, _placed(path)) | more(_placed(path))}
    bearer = {"type": "http", "scheme": "bearer"}
    keys = {"client": bearer, "admin": bearer, "page": {"type": "http", "scheme": "basic"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pointsman", "version": "1", "description": "OpenAI's API, routed by intent."},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": keys},
    }


def _operation(
    summary: str, given: Schema, key: str | None, body: Schema | None, places: list[Schema]
) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": given}}
    if given is TEXT:
        content = {"text/plain": {"schema": TEXT}}
    elif given is HTML:
        content = {"text/html": {"schema": HTML}}
    if body is not None and "stream" in body["properties"]:
        content["text/event-stream"] = {"schema": _EVENTS}
    told: dict[str, Any] = {"application/json": {"schema": _REFERENCE}}
    if given is HTML:
        told["text/plain"] = {"schema": TEXT}
    error = {"description": "what is wrong", "content": told}
    reasons = {"description": "why not now", "content": {"application/json": {"schema": {"type": "object"}}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "security": [] if key is None else [{key: []}],
        "responses": {
            "200": {"description": "done", "content": content},
            "4XX": error,
            "5XX": reasons if key is None else error,
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation | ({"parameters": places} if places else {})


def _placed(path: str) -> list[Schema]:
    return [
        {"name": part[1:-1], "in": "path", "required": True, "schema": NAME}
        for part in path.split("/")
        if part.startswith("{")
    ] + headers_of(path)
