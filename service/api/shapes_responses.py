"""What the OpenAPI document says of the parts of a response."""

from __future__ import annotations

from service.api.shapes import (
    CALLED_WITH,
    MARKED,
    NAME,
    NOTHING,
    OPTIONS_OF_STREAM,
    SPECIFIED,
    SWITCH,
    TEXT,
    Schema,
    closed,
    other_than,
)
from service.api.shapes_forms import FORMED
from service.body import breakpoints
from service.body.known import (
    RESPONSE_CHOICE,
    RESPONSE_FORM,
    RESPONSE_REASONING,
    RESPONSE_TEXT,
    RESPONSE_TOOL,
)
from service.responses.request import ITEM_ROLES, TEXTS

_PARTS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"enum": list(TEXTS)}, "text": TEXT, breakpoints.NAME: MARKED},
    },
}
_SAID: Schema = {"anyOf": [TEXT, _PARTS]}
_ITEM: Schema = {  # of the input of a response
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
                "arguments": CALLED_WITH,
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
_FORMAT: Schema = {
    "anyOf": [
        NOTHING,
        closed(RESPONSE_FORM, {"type": {"enum": ["text", "json_object"]}}),
        closed(
            RESPONSE_FORM,
            {"type": {"const": "json_schema"}, "name": FORMED, "schema": {"type": "object"}}
            | {"strict": SWITCH, "description": {"type": ["string", "null"]}},
            *("type", "name", "schema"),
        ),
    ]
}
RESPONSE_PARTS: Schema = {  # of a response's own fields, those that have a form
    "stream": SWITCH,
    "stream_options": OPTIONS_OF_STREAM,
    "max_output_tokens": {"type": ["integer", "null"], "minimum": 1},
    "instructions": {"type": ["string", "null"]},
    "parallel_tool_calls": SWITCH,
    "text": {"anyOf": [closed(RESPONSE_TEXT, {"format": _FORMAT}), NOTHING]},
    "tools": {
        "type": ["array", "null"],
        "items": closed(
            RESPONSE_TOOL,
            {"type": {"const": "function"}, **SPECIFIED},
            *("type", "name"),
        ),
    },
    "tool_choice": {
        "anyOf": [
            {"enum": ["none", "auto", "required", None]},
            closed(RESPONSE_CHOICE, {"type": {"const": "function"}, "name": NAME}, "type", "name"),
        ]
    },
}


def reasoning(efforts: Schema) -> Schema:
    """The field ``reasoning`` of a response, where these ``efforts`` are taken."""
    return {"anyOf": [closed(RESPONSE_REASONING, {"effort": efforts}), NOTHING]}


def items() -> Schema:
    """The input of a response that is a list: the first can't answer a call, and one must say something."""
    first = {"prefixItems": [other_than("type", "function_call_output")]}
    saying = {"contains": other_than("type", "reasoning")}
    return {"type": "array", "minItems": 1, "items": _ITEM, "allOf": [first, saying]}
