"""POST /tokenize and /detokenize, vLLM's own, under every name that the gateway serves.

The tokenizer and the chat template are the base's for all of them: an adapter that was trained with others is
not taken. So the engine is asked under the base's name, and no adapter has to be loaded for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.api.incoming import Running, client_only, json_object
from service.body.conversation import check_written, messages_of
from service.body.fields import model_of
from service.body.kinds import check_kinds, check_token_ids, given
from service.body.known import DETOKENIZED, TOKENIZED_CHAT, TOKENIZED_TEXT
from service.body.options import check_template
from service.body.tools import check_tools, with_parameters
from service.dispatch import AUTO
from service.errors import InvalidRequest
from service.gateway import Gateway

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/tokenize")
async def tokenize(request: Request, gateway: Running) -> Response:
    """The tokens of ``prompt``, or of ``messages`` under the chat template."""
    body = await json_object(request)
    if ("prompt" in body) == ("messages" in body):
        raise InvalidRequest("give either prompt, one text, or messages", "prompt")
    (TOKENIZED_TEXT if "prompt" in body else TOKENIZED_CHAT).check(body)
    check_kinds(body)
    if "prompt" in body and not isinstance(body["prompt"], str):
        raise InvalidRequest("prompt must be one text", "prompt")
    if "messages" in body:
        if body.get("model") == AUTO:
            raise InvalidRequest(
                "with 'auto' a route's prompt comes before the messages, and is not counted here: name an "
                "adapter or the base",
                "model",
            )
        body["messages"] = messages_of(body, gateway.settings.gateway.max_messages)
        check_written(body["messages"])
        check_tools(body.get("tools"))
        if body.get("tools"):
            body["tools"] = with_parameters(body["tools"])
        check_template(body)
    return await _asked("/tokenize", body, gateway)


@router.post("/detokenize")
async def detokenize(request: Request, gateway: Running) -> Response:
    """The text of ``tokens``."""
    body = await json_object(request)
    DETOKENIZED.check(body)
    if not isinstance(body.get("tokens"), list):
        raise InvalidRequest("tokens is required: a list of token ids", "tokens")
    check_token_ids("tokens", body["tokens"], gateway.last_token)  # vLLM passes over what is beyond it
    return await _asked("/detokenize", body, gateway)


async def _asked(path: str, body: Mapping[str, Any], gateway: Gateway) -> Response:
    base = gateway.settings.engine.model_name
    if body.get("model") is not None and (model := model_of(body)) != AUTO:
        gateway.dispatch.named(model)
    answer = await gateway.engine.client().complete(path, {**given(body), "model": base})
    return Response(answer, media_type="application/json")
