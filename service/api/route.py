"""POST /v1/route: which way a conversation would take, and why, without generating anything."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request

from service.api.incoming import Recorded, Running, client_only, json_object
from service.conversation import Message, asked, conversation_key, messages_of
from service.errors import InvalidRequest
from service.gateway import Gateway, explain

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/route")
async def route(request: Request, gateway: Running, record: Recorded) -> dict[str, object]:
    """Explain the decision on ``messages``, or on one text given as ``text`` or ``input``."""
    body = await json_object(request)
    messages = _messages(body, gateway)
    conversation = conversation_key({"messages": messages, "user": body.get("user")})
    decision, taken = await gateway.routes.decide(messages, conversation)
    record.intent, record.confidence = taken.intent, decision.confidence
    record.abstained = decision.abstained
    return explain(decision, taken)


def _messages(body: dict[str, Any], gateway: Gateway) -> list[Message]:
    if "messages" in body:
        return asked(messages_of(body, gateway.settings.gateway.max_messages))
    text = body.get("text", body.get("input"))
    if not isinstance(text, str):
        raise InvalidRequest("give messages, or one text as text or input", "messages")
    return [{"role": "user", "content": text}]
