"""What the OpenAPI document says of the parts that requests and answers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.conversation import ROLES
from service.dispatch import CHAIN

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
                "role": {"enum": [role for role in ROLES if role != "assistant"]},
                "content": {"anyOf": _CONTENT},
            },
        },
    ]
}
STREAMED: Schema = {  # stream_options stand beside a stream only
    "anyOf": [
        {"properties": {"stream_options": {"type": "null"}}},
        {"required": ["stream"], "properties": {"stream": {"const": True}}},
    ]
}
_PRIORITY = {"name": "x-pointsman-priority", "in": "header", "schema": {"enum": ["interactive", "batch"]}}
_CHAIN = {"name": CHAIN, "in": "header", "schema": NAME, "description": "in place of the route's"}
_TRACE = {"name": "x-pointsman-trace", "in": "header", "schema": {"enum": ["0", "1"]}}
HEADERS: Mapping[str, list[Schema]] = {
    "/v1/chat/completions": [_PRIORITY, _CHAIN, _TRACE],
    "/v1/completions": [_PRIORITY, _CHAIN],
    "/v1/responses": [_PRIORITY, _CHAIN],
}
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
