"""POST /v1/load_lora_adapter and /v1/unload_lora_adapter: vLLM's requests and answers, Pointsman's checks.

For trainers that speak to vLLM. To load is to register and to promote: ``lora_name`` is an alias, and weights
that are new under it become a version of their own, so no answer of the old ones can come from a cache. To
unload an alias takes it out of service; ``alias@version`` retires one version. Needs the admin key.

What another trainer saved has no manifest: one is made that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from service.adapters.checks import check_alias
from service.api.incoming import Running, admin_only, json_object
from service.body.known import LOADED, UNLOADED
from service.body.shown import kind_of
from service.errors import (
    AdapterConflict,
    AdapterNotFound,
    AdapterRejected,
    InvalidRequest,
    NotJSON,
    UnknownField,
)
from service.gateway import Gateway

router = APIRouter(prefix="/v1", dependencies=[Depends(admin_only)])

_BY = "load_lora_adapter"
_STATUS: Mapping[type[Exception], HTTPStatus] = {
    NotJSON: HTTPStatus.BAD_REQUEST,
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    UnknownField: HTTPStatus.BAD_REQUEST,
    AdapterRejected: HTTPStatus.BAD_REQUEST,
    AdapterConflict: HTTPStatus.BAD_REQUEST,
    AdapterNotFound: HTTPStatus.NOT_FOUND,
}
_TYPE = {HTTPStatus.BAD_REQUEST: "BadRequestError", HTTPStatus.NOT_FOUND: "NotFoundError"}


@router.post("/load_lora_adapter")
async def load(request: Request, gateway: Running) -> Response:
    """Check a folder of the adapters folder, enter it under a name, and let it answer."""
    try:
        name = await _load(await json_object(request), gateway)
    except tuple(_STATUS) as exc:
        return _refused(exc)
    return PlainTextResponse(f"Success: LoRA adapter '{name}' added successfully.")


@router.post("/unload_lora_adapter")
async def unload(request: Request, gateway: Running) -> Response:
    """Take a name out of service; it is unloaded when nobody uses it any more."""
    try:
        name = await _unload(await json_object(request), gateway)
    except tuple(_STATUS) as exc:
        return _refused(exc)
    return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")


async def _load(body: Mapping[str, Any], gateway: Gateway) -> str:
    LOADED.check(body)
    name, path = _text(body, "lora_name"), _text(body, "lora_path")
    try:
        check_alias(name, gateway.settings.engine.model_name)
    except AdapterRejected as exc:
        raise InvalidRequest(str(exc), "lora_name") from exc
    if not _flag(body, "load_inplace") and gateway.adapters.knows(name):
        raise InvalidRequest(
            f"the adapter {name[:80]!r} has already been loaded; load_inplace: true gives it new weights",
            "lora_name",
        )
    version = await gateway.adapters.register(name, path, foreign=True)
    await gateway.adapters.promote(name, version.version, by=_BY)
    return name


async def _unload(body: Mapping[str, Any], gateway: Gateway) -> str:
    UNLOADED.check(body)
    name = _text(body, "lora_name")
    if not gateway.adapters.knows(name):
        raise AdapterNotFound(f"the adapter {name[:80]!r} cannot be found")
    alias, _, version = name.partition("@")
    if version:
        await gateway.adapters.retire(alias, version)
        return name
    if alias in gateway.settings.adapters.preload:
        raise AdapterConflict(f"the settings preload {alias!r}: take it out of adapters.preload first")
    if alias in gateway.routes.adapters:
        raise AdapterConflict(f"a route answers with {alias!r}: give the route another adapter first")
    await gateway.adapters.withdraw(alias)
    return name


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        found = "empty text" if value == "" else "nothing" if value is None else kind_of(value)
        raise InvalidRequest(f"{name} is required, as text; found {found}", name)
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be true or false, found {kind_of(value)}", name)
    return value


def _refused(error: Exception) -> Response:
    status = _STATUS[type(error)]
    told = {
        "message": str(error),
        "type": _TYPE[status],
        "param": "lora_path" if isinstance(error, AdapterRejected) else getattr(error, "parameter", None),
        "code": int(status),
    }
    return JSONResponse({"error": told}, status)
