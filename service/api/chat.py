"""POST /v1/chat/completions: routed, or straight on to the model that it names."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.api.chunks import ChatForm
from service.api.incoming import chain_of, client_only, gateway_of, json_object, traced
from service.api.middleware import record_of
from service.api.relay import Relay
from service.api.respond import Generated
from service.api.steps import events_of
from service.body.known import CHAT
from service.body.options import check_effort
from service.exchange import Job

router = APIRouter()


async def chat(request: Request) -> Response:
    """Answer a conversation."""
    await client_only(request)
    gateway, record = gateway_of(request), record_of(request.scope)
    gateway.exchange.check(record)
    body = await json_object(request)
    CHAT.check(body)
    if not gateway.reads_effort:
        check_effort(body)
    record.streamed = body.get("stream") is True
    plan = await gateway.dispatch.chat(body, chain_of(request))
    plan.note(record)
    then = gateway.shadows.follower(plan, plan.conversation)
    trace = traced(request)
    relay = Relay(gateway.feedback.hear(record, plan.request.messages, body.get("tools"), then))
    job = Job(
        model=plan.model,
        conversation=plan.conversation,
        run=lambda name: events_of(plan, gateway, name, trace=trace, relay=relay),
        asked=plan.asked,
        version=plan.version,
    )
    options = body.get("stream_options") or {}
    form = ChatForm(
        model=gateway.settings.engine.model_name,
        include_usage=options.get("include_usage") is True,
        trace=trace,
        reasoning=body.get("include_reasoning") is not False,
    )
    return Generated(gateway.exchange, job, record, form, relay)


# a plain route: FastAPI's dependencies cost a tenth of the gateway's time for a request
router.add_route("/v1/chat/completions", chat, methods=["POST"])
