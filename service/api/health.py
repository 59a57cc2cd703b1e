"""What probes and Prometheus read; open to everybody who can reach the gateway."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.responses import Response

from service.api.incoming import Running

router = APIRouter()
_METHODS = ["GET", "HEAD"]


@router.api_route("/health", methods=_METHODS)
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.api_route("/ready", methods=_METHODS)
async def ready(gateway: Running) -> Response:
    """200 if a request would succeed now, else 503 with every reason."""
    readiness = gateway.readiness()
    engine, live = gateway.engine, gateway.routes.live
    body = {
        "ready": readiness.ready,
        "reasons": readiness.reasons,
        "engine": {"state": engine.state, "detail": engine.detail, "restarts": engine.restarts},
        "adapters": {"problems": gateway.adapters.problems},
        "routes": {
            "live": list(live.table.routes) if live is not None else [],
            "problems": gateway.routes.problems,
            "warnings": gateway.warnings,
            "building": gateway.routes.progress if gateway.routes.building else None,
        },
    }
    headers = {} if readiness.ready else {"retry-after": "2"}
    return JSONResponse(body, 200 if readiness.ready else 503, headers)


@router.api_route("/metrics", methods=_METHODS)
async def metrics(gateway: Running) -> Response:
    """Prometheus's text form."""
    page = await asyncio.to_thread(gateway.metrics.exposition)  # 17 ms for 70 adapters
    return Response(page, media_type=gateway.metrics.content_type)
