"""POST /v1/completions: the engine's, for an adapter or the base; ``auto`` routes on the prompt's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chains.closing import closing
from chains.events import Raw
from service.api.chunks import ChatForm
from service.api.incoming import Recorded, Running, client_only, json_object
from service.api.respond import Generated
from service.conversation import conversation_key
from service.dispatch import AUTO, DIRECT, filled_completion, model_of, stream_of
from service.errors import InvalidRequest
from service.exchange import Events, Job
from service.options import check_options
from service.parts import Pool

PATH = "/v1/completions"

router = APIRouter(dependencies=[Depends(client_only)])


@router.post(PATH)
async def completions(request: Request, gateway: Running, record: Recorded) -> Response:
    """Continue a prompt. A route gives its adapter and sampling; its prompt and chain are for chats."""
    gateway.exchange.check()
    body = await json_object(request)
    model: str | None = model_of(body)
    record.streamed = stream_of(body)
    if "prompt" not in body:
        raise InvalidRequest("prompt is required: text, or a list of texts or token ids", "prompt")
    check_options(body, gateway.settings.gateway.max_choices)
    if model == AUTO:
        if not isinstance(body["prompt"], str):
            raise InvalidRequest("model 'auto' needs a prompt that is one text", "prompt")
        decision, route = await gateway.dispatch.decide([{"role": "user", "content": body["prompt"]}])
        record.intent, record.confidence = route.intent, decision.confidence
        model, body = route.adapter, filled_completion(body, route)
    else:
        model = gateway.dispatch.named(str(model))
    record.chain = DIRECT
    job = Job(
        model=model,
        conversation=conversation_key(body),
        run=lambda name: _events(gateway.engine, {**body, "model": name}, record.streamed),
    )
    return Generated(gateway.exchange, job, record, ChatForm(gateway.settings.engine.model_name))


async def _events(engine: Pool, body: Mapping[str, Any], stream: bool) -> Events:
    if not stream:
        yield Raw(await engine.client().complete(PATH, body))
        return
    async with closing(engine.client().stream(PATH, body)) as pieces:
        async for data in pieces:
            yield Raw(data)
