"""What the OpenAPI document says of the parts that requests and answers are made of."""

from __future__ import annotations

from typing import Any

from chains.registry import chains_without_options
from service.conversation import ROLES
from service.dispatch import CHAIN
from service.responses_request import ITEM_ROLES, TEXTS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
MODEL: Schema = {**NAME, "description": "'auto', an alias, alias@version or the base; see /v1/models"}
SWITCH: Schema = {"type": ["boolean", "null"]}
IDS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}
PROMPT: Schema = {"anyOf": [TEXT, {"type": "array", "minItems": 1}]}
STOP: Schema = {"anyOf": [NAME, {"type": "array", "items": NAME}, {"type": "null"}]}
_FUNCTION = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
_TOOL = {"type": "object", "required": ["function"], "properties": {"function": _FUNCTION}}
TOOLS: Schema = {"type": ["array", "null"], "items": _TOOL}
_PART = {"type": "object", "required": ["type"], "properties": {"type": TEXT}}
_CONTENT: list[Schema] = [TEXT, {"type": "array", "items": _PART}]
MESSAGE: Schema = {  # only an assistant may have said nothing, beside its calls
    "anyOf": [
        {
            "type": "object",
            "required": ["role"],
            "properties": {
                "role": {"const": "assistant"},
                "content": {"anyOf": [*_CONTENT, {"type": "null"}]},
            },
        },
        {
            "type": "object",
            "required": ["role", "content"],
            "properties": {
                "role": {"enum": [role for role in ROLES if role not in ("assistant", "tool")]},
                "content": {"anyOf": _CONTENT},
            },
        },
        {
            "type": "object",
            "required": ["role", "content", "tool_call_id"],
            "properties": {"role": {"const": "tool"}, "content": {"anyOf": _CONTENT}, "tool_call_id": TEXT},
        },
    ]
}
_PARTS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"enum": list(TEXTS)}, "text": TEXT},
    },
}
_SAID: Schema = {"anyOf": [TEXT, _PARTS]}
ITEM: Schema = {  # of the input of a response
    "anyOf": [
        {
            "type": "object",
            "required": ["role", "content"],
            "properties": {
                "type": {"const": "message"},
                "role": {"enum": list(ITEM_ROLES)},
                "content": _SAID,
            },
        },
        {
            "type": "object",
            "required": ["type", "call_id", "name", "arguments"],
            "properties": {
                "type": {"const": "function_call"},
                "call_id": TEXT,
                "name": TEXT,
                "arguments": {**TEXT, "description": "a JSON object"},
            },
        },
        {
            "type": "object",
            "required": ["type", "call_id", "output"],
            "properties": {"type": {"const": "function_call_output"}, "call_id": TEXT, "output": _SAID},
        },
        {"type": "object", "required": ["type"], "properties": {"type": {"const": "reasoning"}}},
    ]
}
STREAMED: Schema = {  # stream_options stand beside a stream only
    "anyOf": [
        {"properties": {"stream_options": {"type": "null"}}},
        {"required": ["stream"], "properties": {"stream": {"const": True}}},
    ]
}
_PRIORITY = {"name": "x-pointsman-priority", "in": "header", "schema": {"enum": ["interactive", "batch"]}}
_TRACE = {"name": "x-pointsman-trace", "in": "header", "schema": {"enum": ["0", "1"]}}
USAGE: Schema = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens"],
    "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": TEXT,
                "type": TEXT,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "integer", "null"]},
            },
        }
    },
}


def headers_of(path: str) -> list[Schema]:
    """The request headers that a path reads beside HTTP's own."""
    if path not in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        return []
    names = {"enum": list(chains_without_options())}
    chain = {"name": CHAIN, "in": "header", "schema": names, "description": "in place of the route's"}
    return [_PRIORITY, chain, *([_TRACE] if path == "/v1/chat/completions" else [])]
