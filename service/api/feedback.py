"""POST /v1/feedback: what a user thought of an answer."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request

from service.api.incoming import Running, client_only, document
from service.kept.feedback import Rating

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/feedback")
async def feedback(request: Request, gateway: Running) -> dict[str, str]:
    """Rate the answer of a completion."""
    rating = await document(request, Rating)
    return {"id": rating.id, "adapter": gateway.feedback.rate(rating)}
