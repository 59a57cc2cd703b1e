"""POST /v1/completions: the engine's own for an adapter or the base; for ``auto`` an answer to the prompt.

A routed prompt is what a user says, and each of several takes its own route: adapters of routes have learnt
conversations, and after the bare text of a question the likeliest next token of theirs is the end. So it
takes its route whole, as a chat would.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from copy import copy
from typing import Any

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chains.closing import closing
from chains.events import Engine, Finish, Raw
from chains.sse import EventReader
from service.api.chunks import DONE, ChatForm
from service.api.incoming import Recorded, Running, chain_of, client_only, json_object, traced
from service.api.relay import Relay
from service.api.respond import Generated
from service.api.steps import events_of, notes_held
from service.api.steps import traced as with_trace
from service.api.together import Together
from service.best_effort import BestEffort, may_loosen
from service.body.conversation import conversation_key
from service.body.fields import model_of, stream_of
from service.body.kinds import WHOLE, check_kind, given
from service.body.known import COMPLETION
from service.body.options import check_options
from service.dispatch import AUTO, CHAIN, DIRECT, Plan
from service.errors import InvalidRequest
from service.exchange import Events, Job
from service.gateway import Gateway
from service.model_calls import ModelCalls, Watched
from service.record import Record

PATH = "/v1/completions"
OF_TEXT = (  # options about the text that is continued; a conversation's answer has no place for them
    *("suffix", "echo", "logprobs", "logprob_token_ids", "prompt_logprobs", "return_token_ids"),
)
_KEPT = ("created", "model", "system_fingerprint", "usage", "pointsman")  # of a chat's answer

router = APIRouter(dependencies=[Depends(client_only)])


@router.post(PATH)
async def completions(request: Request, gateway: Running, record: Recorded) -> Response:
    """Continue a prompt, or with ``auto`` answer it."""
    gateway.exchange.check(record)
    trace = traced(request)
    body = await json_object(request)
    COMPLETION.check(body)
    model = model_of(body)
    record.streamed = stream_of(body)
    if "prompt" not in body:
        raise InvalidRequest("prompt is required: text, or a list of texts or token ids", "prompt")
    check_options(body, gateway.settings.gateway.max_choices)
    check_kind("logprobs", body.get("logprobs"), WHOLE)  # of a chat it is a switch
    if model == AUTO:
        return await _answered(body, chain_of(request), gateway, record, trace=trace)
    adapter = gateway.dispatch.named(model)
    if chain_of(request) not in (None, DIRECT):
        raise InvalidRequest(
            f"the header {CHAIN} has no meaning for a text that {model!r} continues: leave it out, or ask "
            "/v1/chat/completions",
            CHAIN,
        )
    record.chain, relay = DIRECT, Relay()
    job = Job(
        model=adapter,
        conversation=conversation_key(body),
        run=lambda name: _continued(gateway, name, body, relay, trace=trace),
    )
    return Generated(gateway.exchange, job, record, ChatForm(gateway.settings.engine.model_name), relay)


def _continued(gateway: Gateway, name: str, body: Mapping[str, Any], relay: Relay, *, trace: bool) -> Events:
    calls = ModelCalls(name) if trace else None
    engine = _engine(gateway, name, body, relay, calls)
    events = _passed(engine, given(body), stream_of(body))
    return events if calls is None else with_trace(events, calls, stream=stream_of(body))


def _engine(
    gateway: Gateway, name: str, body: Mapping[str, Any], relay: Relay, calls: ModelCalls | None
) -> Engine:
    loosens = may_loosen(body)
    engine: Engine = gateway.engine.bind(name, PATH, None if loosens or calls is not None else relay)
    if calls is not None:
        engine = Watched(engine, calls)
    return BestEffort(engine) if loosens else engine


async def _passed(engine: Engine, body: Mapping[str, Any], stream: bool) -> Events:
    if not stream:
        yield Raw(await engine.complete(body))
        return
    async with closing(engine.stream(body)) as pieces:
        async for data in pieces:
            yield Raw(data)


async def _answered(
    body: Mapping[str, Any], chain: str | None, gateway: Gateway, record: Record, *, trace: bool
) -> Response:
    prompts = body["prompt"]
    many = isinstance(prompts, list) and len(prompts) > 1 and all(isinstance(one, str) for one in prompts)
    if not many:
        return await _answer(body, chain, gateway, record, trace=trace)
    parts = []
    for index, prompt in enumerate(prompts):
        _check_said(prompt, f"prompt[{index}]")
        own = copy(record)
        parts.append((await _answer({**body, "prompt": prompt}, chain, gateway, own, trace=trace), own))
    return Together(parts, record, choices=body.get("n") or 1)


async def _answer(
    body: Mapping[str, Any], chain: str | None, gateway: Gateway, record: Record, *, trace: bool
) -> Generated:
    plan = await gateway.dispatch.chat(_as_chat(body), chain)
    plan.note(record)
    options = body.get("stream_options") or {}
    form = ChatForm(
        gateway.settings.engine.model_name,
        include_usage=options.get("include_usage") is True,
        trace=trace,
    )
    job = Job(
        model=plan.model,
        conversation=plan.conversation,
        run=lambda name: _as_text(plan, gateway, name, form, record),
        version=plan.version,
    )
    return Generated(gateway.exchange, job, record, form)


def _as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request that a routed prompt is.

    Raises:
        InvalidRequest: the prompt is no text, or an empty one, or an option is about the text and not about
            an answer.
    """
    prompt = body["prompt"]
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if not isinstance(prompt, str):
        raise InvalidRequest("model 'auto' needs a prompt that is one text, or a list of texts", "prompt")
    _check_said(prompt, "prompt")
    for name in OF_TEXT:
        value = body.get(name)
        if value is not None and value is not False:
            raise InvalidRequest(
                f"{name} can't be honoured with model 'auto', which answers the prompt as a chat would: "
                "leave it out, or name an adapter or the base",
                name,
            )
    rest = {key: value for key, value in body.items() if key not in ("prompt", "best_of", *OF_TEXT)}
    return {**rest, "messages": [{"role": "user", "content": prompt}]}


def _check_said(prompt: str, at: str) -> None:
    if not prompt.strip():
        raise InvalidRequest(f"{at} is empty, and there is nothing to answer: it must hold some text", at)


async def _as_text(plan: Plan, gateway: Gateway, name: str, form: ChatForm, record: Record) -> Events:
    """The plan's events in the form of a text completion."""
    form.model = name
    running = events_of(plan, gateway, name, trace=form.trace)
    if plan.request.stream:
        running = notes_held(running)
    async with aclosing(running) as events:
        if not plan.request.stream:
            found = [event async for event in events]
            raw = b"".join(event.data for event in found if isinstance(event, Raw))
            yield Raw(orjson.dumps(_text(orjson.loads(raw or form.completion(found)))))
            return
        reader = EventReader()
        async for event in events:
            if isinstance(event, Finish):
                record.count(event.usage.prompt_tokens, event.usage.completion_tokens)
            for piece in [form.pass_on(event)] if isinstance(event, Raw) else form.chunks(event):
                for chunk in map(_text, reader.feed(piece)):
                    if _says(chunk):
                        yield Raw(b"data: " + orjson.dumps(chunk) + b"\n\n")
        form.end()
    yield Raw(DONE)


def _says(chunk: Mapping[str, Any]) -> bool:
    """Whether there is anything in it: the reasoning of a chat, for one, leaves nothing."""
    choices = chunk["choices"]
    return (
        not choices
        or "pointsman" in chunk
        or any(choice["text"] or choice["finish_reason"] for choice in choices)
    )


def _text(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A chat completion, or a chunk of one, as a text completion; what is no content is left out."""
    choices = []
    for choice in answer["choices"]:
        said = choice.get("delta") or choice.get("message") or {}
        choices.append(
            {
                "index": choice["index"],
                "text": said.get("content") or said.get("refusal") or "",
                "logprobs": None,
                "finish_reason": choice.get("finish_reason"),
            }
        )
    kept = {key: answer[key] for key in _KEPT if key in answer}
    name = "cmpl-" + str(answer["id"]).removeprefix("chatcmpl-")
    return {"id": name, "object": "text_completion", **kept, "choices": choices}
