"""POST /v1/responses: OpenAI's newer form of a chat, without any memory, over the same dispatch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chains.errors import ChainError
from chains.events import Drawing, Raw
from chains.sse import EventReader
from service.api.chunks import ChatForm
from service.api.errors import Told
from service.api.incoming import Recorded, Running, chain_of, client_only, json_object, traced
from service.api.respond import Generated
from service.api.steps import events_of, notes_held
from service.body.options import check_effort
from service.dispatch import Plan
from service.errors import ServiceError
from service.exchange import Events, Job
from service.gateway import Gateway
from service.record import Record
from service.responses.answer import ResponseAnswer
from service.responses.request import chat_of, in_its_names

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/responses")
async def responses(request: Request, gateway: Running, record: Recorded) -> Response:
    """Answer a conversation."""
    gateway.exchange.check(record)
    trace = traced(request)
    body = await json_object(request)
    chat = chat_of(body)
    record.streamed = chat.get("stream") is True
    with _told_in_its_names():
        if not gateway.reads_effort:
            check_effort(chat)
        plan = await gateway.dispatch.chat(chat, chain_of(request))
    plan.note(record)
    form = ChatForm(gateway.settings.engine.model_name, include_usage=True, trace=trace)
    asked = body if gateway.reads_effort else _without_effort(body)
    answer = ResponseAnswer(asked, _sampling(plan, gateway), trace=trace)
    job = Job(
        model=plan.model,
        conversation=plan.conversation,
        run=lambda name: _answered(plan, gateway, name, form=form, answer=answer, record=record),
        version=plan.version,
    )
    return Generated(gateway.exchange, job, record, form, broken=lambda told: _broken(answer, told))


def _without_effort(body: dict[str, Any]) -> dict[str, Any]:
    """``body`` as it is answered where nothing reads an effort.

    The one that is taken asks for nothing; a response says what it was made with, so it has none.
    """
    asked = body.get("reasoning")
    return {**body, "reasoning": {**asked, "effort": None}} if asked else body


def _sampling(plan: Plan, gateway: Gateway) -> dict[str, Any]:
    """What the plan is answered with: the request's, the route's, the chain's, else the engine's own."""
    found = {**gateway.sampling, **plan.request.parameters}
    if isinstance(plan.chain, Drawing):
        drawn = plan.chain.temperature(plan.request.parameters)
        found["temperature"] = gateway.sampling["temperature"] if drawn is None else drawn
    return found


def _broken(answer: ResponseAnswer, told: Told) -> bytes:
    return _sent([answer.broken(orjson.loads(told.body)["error"])]).data


@contextmanager
def _told_in_its_names() -> Iterator[None]:
    """Errors about the chat that a response is, with the fields as the client called them."""
    try:
        yield
    except (ServiceError, ChainError) as exc:
        exc.args = tuple(in_its_names(one) if isinstance(one, str) else one for one in exc.args)
        if isinstance(name := getattr(exc, "parameter", None), str):
            exc.parameter = in_its_names(name)  # type: ignore[union-attr]
        raise


async def _answered(
    plan: Plan, gateway: Gateway, name: str, *, form: ChatForm, answer: ResponseAnswer, record: Record
) -> Events:
    """The plan's events in the form of a response."""
    form.model = answer.model = name
    running = events_of(plan, gateway, name, trace=form.trace)
    if plan.request.stream:
        running = notes_held(running)
    with _told_in_its_names():
        async with aclosing(running) as events:
            told = _events(events, plan.request.stream, form=form, answer=answer, record=record)
            async with aclosing(told) as raws:
                async for raw in raws:
                    yield raw


async def _events(
    events: Events, stream: bool, *, form: ChatForm, answer: ResponseAnswer, record: Record
) -> Events:
    if not stream:
        found = [event async for event in events]
        raw = b"".join(event.data for event in found if isinstance(event, Raw))
        for _ in (*answer.take(orjson.loads(raw or form.completion(found))), *answer.end()):
            pass
        yield Raw(orjson.dumps(_counted(answer, record)))
        return
    reader, begun = EventReader(), False
    async for event in events:
        for piece in [form.pass_on(event)] if isinstance(event, Raw) else form.chunks(event):
            for chunk in reader.feed(piece):
                if not begun:  # an error before the first chunk is no stream yet
                    begun = True
                    yield _sent(answer.begin())
                if sent := list(answer.take(chunk)):
                    yield _sent(sent)
    form.end()
    yield _sent(answer.end())
    _counted(answer, record)


def _counted(answer: ResponseAnswer, record: Record) -> dict[str, Any]:
    """The whole response, whose usage ``record`` takes down."""
    whole = answer.last
    record.count(whole["usage"]["input_tokens"], whole["usage"]["output_tokens"])
    return whole


def _sent(events: Iterable[dict[str, Any]]) -> Raw:
    return Raw(b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), orjson.dumps(e)) for e in events))
