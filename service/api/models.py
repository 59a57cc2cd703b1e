"""GET /v1/models: ``auto``, the base, every alias with its live version, and the encoder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends

from service.api.incoming import Running, client_only
from service.dispatch import AUTO
from service.embeddings import encoder_name
from service.errors import ModelNotFound
from service.gateway import Gateway
from service.parts import Version

router = APIRouter(dependencies=[Depends(client_only)])


@router.api_route("/v1/models", methods=["GET", "HEAD"])
async def models(gateway: Running) -> dict[str, Any]:
    """Everything that ``model`` may name, except single versions of an alias."""
    return {"object": "list", "data": [*_fixed(gateway), *_aliases(gateway).values(), _encoder(gateway)]}


@router.api_route("/v1/models/{model:path}", methods=["GET", "HEAD"])
async def model(model: str, gateway: Running) -> dict[str, Any]:
    """One of them; ``alias@version`` too.

    Raises:
        ModelNotFound
    """
    found: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in _fixed(gateway)} | _aliases(gateway)
    found.setdefault(_encoder(gateway)["id"], _encoder(gateway))
    found |= {version.name: _entry(version.name, version) for version in gateway.adapters.names()}
    if model not in found:
        raise ModelNotFound(f"the model {model[:200]!r} does not exist; GET /v1/models lists them", "model")
    return found[model]


def _fixed(gateway: Gateway) -> list[dict[str, Any]]:
    engine = gateway.settings.engine
    return [
        _without_version(gateway, AUTO, base=engine.model_name),
        _without_version(gateway, engine.model_name, max_model_len=engine.max_model_len),
    ]


def _encoder(gateway: Gateway) -> dict[str, Any]:
    return _without_version(gateway, encoder_name(gateway.settings.router.encoder), task="embedding")


def _without_version(gateway: Gateway, name: str, **more: Any) -> dict[str, Any]:
    common = {"object": "model", "created": int(gateway.started), "owned_by": "pointsman"}
    return {"id": name, **common, "version": None, "base": None, "rank": None, **more}


def _aliases(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """By alias; of two live versions the one that most requests get."""
    found: dict[str, dict[str, Any]] = {}
    live = [version for version in gateway.adapters.names() if version.state == "live"]
    for version in sorted(live, key=lambda one: (one.alias, -one.weight)):
        entry = found.setdefault(version.alias, _entry(version.alias, version))
        entry["weights"][version.version] = version.weight
    return found


def _entry(name: str, version: Version) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": _seconds(version.created),
        "owned_by": "pointsman",
        "version": version.version,
        "base": version.base,
        "rank": version.rank,
        "weights": {},
    }


def _seconds(moment: object) -> int:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return int(moment.timestamp()) if isinstance(moment, datetime) else 0
