"""POST /v1/embeddings: the router's encoder as a model, by its own name or ``auto``.

The vectors are the encoder's own. Every field is OpenAI's, and ``truncate_prompt_tokens`` vLLM's; any other
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.api.incoming import Recorded, Running, client_only, json_object
from service.body.kinds import check_kinds
from service.body.known import EMBEDDING
from service.body.shown import kind_of
from service.dispatch import AUTO
from service.embeddings import Wanted, encoder_name
from service.errors import InvalidRequest, ModelNotFound
from service.gateway import Gateway

router = APIRouter(dependencies=[Depends(client_only)])


@router.post("/v1/embeddings")
async def embeddings(request: Request, gateway: Running, record: Recorded) -> Response:
    """The vectors of one text or of a list of texts."""
    body = await json_object(request)
    EMBEDDING.check(body)
    check_kinds(body)
    model = _model(body, gateway)
    wanted = _wanted(body, gateway.settings.gateway.max_inputs)
    answer, tokens = await gateway.embeddings.answer(gateway.routes.embedder, wanted, model)
    record.count(tokens, None)
    return Response(answer, media_type="application/json")


def _model(body: Mapping[str, Any], gateway: Gateway) -> str:
    own, model = encoder_name(gateway.settings.router.encoder), body.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest(f"model is required: {own!r} or 'auto'", "model")
    if model not in (own, AUTO):
        raise ModelNotFound(
            f"the model {model[:200]!r} gives no embeddings; the one that does is {own!r}", "model"
        )
    return own


def _wanted(body: Mapping[str, Any], most: int) -> Wanted:
    form, dimensions = body.get("encoding_format"), body.get("dimensions")
    if form not in (None, "float", "base64"):
        raise InvalidRequest(
            f"encoding_format must be 'float' or 'base64', found {str(form)[:40]!r}", "encoding_format"
        )
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise InvalidRequest(
            f"dimensions must be a whole number of at least 1, found {str(dimensions)[:40]}", "dimensions"
        )
    cut = body.get("truncate_prompt_tokens")
    if cut is not None and (type(cut) is not int or cut != -1):
        raise InvalidRequest(
            f"truncate_prompt_tokens must be -1 (cut where the encoder does), found {str(cut)[:40]}",
            "truncate_prompt_tokens",
        )
    return Wanted(_texts(body, most), form or "float", dimensions, cut is not None)


def _texts(body: Mapping[str, Any], most: int) -> list[str]:
    given = body.get("input")
    texts: list[Any] = given if isinstance(given, list) else [given]
    if given is None or not texts:
        raise InvalidRequest("input is required: one text, or a list of texts with one at least", "input")
    if len(texts) > most:
        raise InvalidRequest(f"input holds {len(texts)} texts; at most {most} are taken", "input")
    for index, text in enumerate(texts):
        _check_text(text, f"input[{index}]" if isinstance(given, list) else "input")
    return texts


def _check_text(text: object, at: str) -> None:
    if isinstance(text, list) or type(text) is int:
        raise InvalidRequest(
            f"{at} is tokens, which are of a tokenizer that is not the encoder's: give text "
            "(in LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False)",
            at,
        )
    if not isinstance(text, str):
        raise InvalidRequest(f"{at} must be text, found {kind_of(text)}", at)
    if not text:
        raise InvalidRequest(f"{at} must not be empty text", at)
