"""POST /v1/route: which way a conversation would take, and why, without generating anything."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request

from chains.parameters import calls_tools
from service.api.incoming import Recorded, Running, client_only, json_object
from service.body.conversation import Message, asked, conversation_key, messages_of
from service.body.kinds import WHOLE, check_kind, check_kinds
from service.body.known import ROUTED
from service.body.shown import kind_of
from service.body.tools import check_tools
from service.errors import InvalidRequest
from service.gateway import Gateway, explain

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/route")
async def route(request: Request, gateway: Running, record: Recorded) -> dict[str, object]:
    """Explain the decision on ``messages``, or on one ``text`` or ``input``; ``tools`` count as in a chat."""
    body = await json_object(request)
    ROUTED.check(body)
    check_kinds(body)
    check_kind("n", body.get("n"), WHOLE)
    check_tools(body.get("tools"))
    messages = _messages(body, gateway)
    conversation = conversation_key({"messages": messages, "user": body.get("user")})
    decision, taken = await gateway.routes.decide(messages, conversation, calls_tools(body))
    record.intent, record.confidence = taken.intent, decision.confidence
    record.abstained = decision.abstained
    return explain(decision, taken)


def _messages(body: dict[str, Any], gateway: Gateway) -> list[Message]:
    given = [name for name in ("messages", "text", "input") if name in body]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise InvalidRequest(f"give messages, or one text as text or input; found {found}", "messages")
    if "messages" in body:
        return asked(messages_of(body, gateway.settings.gateway.max_messages))
    text = body[given[0]]
    if not isinstance(text, str):
        raise InvalidRequest(f"{given[0]} must be text, found {kind_of(text)}", given[0])
    return [{"role": "user", "content": text}]
