"""POST /v1/chat/completions: routed, or straight on to the model that it names."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.api.chunks import ChatForm
from service.api.incoming import Recorded, Running, client_only, json_object
from service.api.respond import Generated
from service.conversation import conversation_key
from service.exchange import Job, chain_events
from service.routes_document import FALLBACK

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/chat/completions")
async def chat(request: Request, gateway: Running, record: Recorded) -> Response:
    """Answer a conversation."""
    gateway.exchange.check()
    body = await json_object(request)
    record.streamed = body.get("stream") is True
    plan = await gateway.dispatch.chat(body)
    record.intent, record.confidence, record.chain = plan.intent, plan.confidence, plan.chain_name
    record.abstained = None if plan.intent is None else plan.intent == FALLBACK
    job = Job(
        model=plan.model,
        conversation=conversation_key(body),
        run=lambda name: chain_events(plan, gateway.engine.bind(name), record),
    )
    options = body.get("stream_options") or {}
    form = ChatForm(
        model=gateway.settings.engine.model_name,
        include_usage=options.get("include_usage") is True,
        trace=request.headers.get("x-pointsman-trace") == "1",
    )
    return Generated(gateway.exchange, job, record, form)
