"""What the OpenAPI document says of the paths for clients, and of those that tell how the gateway is.

A request's schema holds what the gateway itself checks; options that pass through are the engine's to accept
or refuse and have no type here. So what the document forbids is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.artefact import ALIAS_LENGTH, SERVED_ALIAS
from service.api.completions import OF_TEXT
from service.api.shapes import (
    MODEL,
    NAME,
    OPTIONS_OF_STREAM,
    SPOKEN,
    STOP,
    SWITCH,
    TEXT,
    TOOL_CHOICE,
    TOOLS,
    USAGE,
    USAGE_OF_TEXT,
    Schema,
    answer,
    closed,
    ids_to,
    messages_of,
    of,
    prompt_to,
    spoken,
    unbounded,
    with_beside,
    written,
)
from service.api.shapes_forms import RESPONSE_FORMAT, STRUCTURED
from service.api.shapes_responses import RESPONSE_PARTS, items, reasoning
from service.api.shapes_together import CHOSEN_FROM, CONTINUED, NAMED, OF_CHAT, OF_COMPLETION, UNASKED, routed
from service.body.kinds import KINDS, WHOLE
from service.body.known import (
    CHAT,
    COMPLETION,
    DETOKENIZED,
    EMBEDDING,
    LOADED,
    RESPONSE,
    ROUTED,
    TOKENIZED_CHAT,
    TOKENIZED_TEXT,
    UNLOADED,
)
from service.body.options import OF_PROMPT
from service.kept.feedback import Rating
from service.sections import GatewaySettings

_GENERATED = with_beside(
    answer("id", "created", "model", choices={"type": "array", "minItems": 1}, usage=USAGE_OF_TEXT)
)


def posts(
    limits: GatewaySettings, last_token: int | None, dimensions: int | None, *, reads_effort: bool
) -> Mapping[str, tuple[str, Schema | None, Schema]]:
    """What each path does, takes and gives; see :func:`service.api.description.described`."""
    messages = messages_of(limits.max_messages)
    count = {"type": ["integer", "null"], "minimum": 1, "maximum": limits.max_choices}
    options = {"stream": SWITCH, "stream_options": OPTIONS_OF_STREAM, "n": count, "stop": STOP}
    options |= {"response_format": RESPONSE_FORMAT}
    chat: Schema = {"model": MODEL, "messages": spoken(messages), **options}
    chat |= {"tools": TOOLS, "tool_choice": TOOL_CHOICE, "logprobs": SWITCH, "structured_outputs": STRUCTURED}
    efforts = KINDS["reasoning_effort"].described if reads_effort else {"enum": ["medium", None]}
    chat |= {"reasoning_effort": efforts}
    text = {
        "model": MODEL,
        "prompt": prompt_to(last_token),
        **options,
        "echo": SWITCH,
        "structured_outputs": STRUCTURED,
    }
    text |= {"logprobs": {"type": ["integer", "null"], "minimum": 0}}
    text |= {"best_of": {"type": ["integer", "null"], "minimum": 1, "description": "the value of n"}}
    said = {"anyOf": [SPOKEN, {"type": "array", "minItems": 1, "items": SPOKEN}]}
    texts = {"type": "array", "minItems": 1, "maxItems": limits.max_inputs, "items": NAME}
    embedded = {
        "model": NAME,
        "input": {"anyOf": [NAME, texts]},
        "encoding_format": {"enum": ["float", "base64", None]},
        "dimensions": {"type": ["integer", "null"], "minimum": 1, **_most(dimensions)},
        "truncate_prompt_tokens": {"enum": [-1, None]},
    }
    named = {"type": ["string", "null"], "minLength": 1}
    response = RESPONSE_PARTS | {"model": MODEL, "input": {"anyOf": [TEXT, items()]}}
    response |= {"reasoning": reasoning(efforts)}
    explained = {
        **unbounded(ROUTED),
        "n": WHOLE.unbounded,
        "messages": messages,
        "text": TEXT,
        "input": TEXT,
        "tools": TOOLS,
    }
    alias = {"type": "string", "maxLength": ALIAS_LENGTH, "pattern": f"^{SERVED_ALIAS.pattern}$"}
    loaded = {"lora_name": alias, "lora_path": NAME, "load_inplace": {"type": "boolean"}}
    tokens = answer(count={"type": "integer"}, tokens={"type": "array"})
    return {
        "/v1/chat/completions": (
            "Answer a conversation",
            {
                **closed(CHAT, chat, "model", "messages"),
                "allOf": [*OF_CHAT, routed(**dict.fromkeys(OF_PROMPT, UNASKED))],
            },
            _GENERATED,
        ),
        "/v1/completions": (
            "Continue a prompt, or with 'auto' answer it",
            {
                **closed(COMPLETION, text, "model", "prompt"),
                "allOf": [*OF_COMPLETION, routed(prompt=said, **dict.fromkeys(OF_PROMPT + OF_TEXT, UNASKED))],
            },
            _GENERATED,
        ),
        "/v1/responses": (
            "Answer a conversation, without a memory",
            {
                **closed(RESPONSE, response, "model", "input"),
                "allOf": [CHOSEN_FROM],
                "anyOf": [
                    {"properties": {"input": {"anyOf": [SPOKEN, {"type": "array"}]}}},
                    {"required": ["instructions"], "properties": {"instructions": SPOKEN}},
                ],
            },
            with_beside(answer("id", "status", object={"const": "response"}, output={"type": "array"})),
        ),
        "/v1/embeddings": (
            "Vectors of texts by the router's encoder",
            closed(EMBEDDING, embedded, "model", "input"),
            answer("data", "model", object={"const": "list"}, usage=USAGE),
        ),
        "/tokenize": (
            "The tokens of a text or a conversation",
            {
                "properties": {name: {} for name in TOKENIZED_CHAT.taken | {"prompt"}},
                "oneOf": [
                    closed(TOKENIZED_TEXT, {"model": named, "prompt": TEXT}, "prompt"),
                    {
                        **closed(
                            TOKENIZED_CHAT,
                            {"model": {**named, **NAMED}, "messages": written(messages), "tools": TOOLS},
                            "messages",
                        ),
                        **CONTINUED,
                    },
                ],
            },
            tokens,
        ),
        "/detokenize": (
            "The text of tokens",
            closed(DETOKENIZED, {"model": named, "tokens": ids_to(last_token)}, "tokens"),
            answer("prompt"),
        ),
        "/v1/route": (
            "Which way a conversation would take, and why",
            {
                **closed(ROUTED, explained),
                "oneOf": [{"required": [name]} for name in ("messages", "text", "input")],
            },
            answer("intent", "confidence", "abstained", "route"),
        ),
        "/v1/feedback": (
            "Rate an answer by the id of its completion",
            {
                **of(Rating),
                "oneOf": [{"required": ["thumbs"]}, {"required": ["score"]}],
                "properties": {
                    **Rating.model_json_schema()["properties"],
                    "thumbs": {"enum": ["up", "down"]},
                    "score": {"type": "number", "minimum": 0, "maximum": 1},
                },
            },
            answer("id", "adapter"),
        ),
        "/v1/load_lora_adapter": (
            "Register and promote an adapter, as at vLLM",
            closed(LOADED, loaded, "lora_name", "lora_path"),
            TEXT,
        ),
        "/v1/unload_lora_adapter": (
            "Take an adapter out of service, as at vLLM",
            closed(UNLOADED, {"lora_name": NAME}, "lora_name"),
            TEXT,
        ),
    }


def _most(known: int | None) -> Schema:
    return {} if known is None else {"maximum": known}


def gets(client: str | None) -> Mapping[str, tuple[str, Schema, str | None]]:
    """What each path does and gives, and whose key it needs."""
    return {
        "/v1/models": ("Everything that 'model' may name", answer("data", object={"const": "list"}), client),
        "/v1/models/{model}": ("One model", answer("id", object={"const": "model"}), client),
        "/health": ("The process is alive", answer("status"), None),
        "/ready": ("Whether a request would succeed now", answer("ready", "reasons"), None),
        "/metrics": ("Prometheus's text form", TEXT, None),
        "/openapi.json": ("This document", answer("openapi", "paths"), None),
    }
