"""POST /v1/chat/completions: routed, or straight on to the model that it names."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.api.chunks import ChatForm
from service.api.incoming import Recorded, Running, client_only, json_object
from service.api.respond import Generated
from service.conversation import conversation_key
from service.dispatch import CHAIN
from service.exchange import Job

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/chat/completions")
async def chat(request: Request, gateway: Running, record: Recorded) -> Response:
    """Answer a conversation."""
    gateway.exchange.check(record)
    body = await json_object(request)
    record.streamed = body.get("stream") is True
    plan = await gateway.dispatch.chat(body, request.headers.get(CHAIN))
    plan.note(record)
    job = Job(
        model=plan.model,
        conversation=conversation_key(body),
        run=lambda name: plan.chain.run(plan.request, gateway.engine_of(plan, name)),
    )
    options = body.get("stream_options") or {}
    form = ChatForm(
        model=gateway.settings.engine.model_name,
        include_usage=options.get("include_usage") is True,
        trace=request.headers.get("x-pointsman-trace") == "1",
    )
    then = gateway.shadows.follower(plan, job.conversation)
    heard = gateway.feedback.hear(record, plan.request.messages, body.get("tools"), then)
    return Generated(gateway.exchange, job, record, form, heard)
