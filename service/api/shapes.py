"""What the OpenAPI document says of the parts that requests and answers are made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from chains.registry import chains_without_options
from service.api.incoming import TRACE
from service.api.shapes_beside import BESIDE
from service.body import breakpoints
from service.body.conversation import PARTS, ROLES
from service.body.kinds import KINDS, LAST_ID
from service.body.known import (
    CACHE_BREAKPOINT,
    CHOICE,
    CHOSEN,
    FUNCTION,
    MESSAGE,
    STREAM_OPTIONS,
    TEXT_PART,
    TOOL,
    Fields,
)
from service.body.options import MOST_STOPS
from service.body.tools import TOOL_NAME
from service.dispatch import CHAIN

Schema = dict[str, Any]


def closed(fields: Fields, properties: Schema, *required: str) -> Schema:
    """An object of these ``fields`` and no other; ``properties`` are those that have a form."""
    refused: Schema = {name: {"enum": [*refusal.neutral, None]} for name, refusal in fields.refused.items()}
    known: Schema = {name: KINDS[name].described if name in KINDS else {} for name in sorted(fields.taken)}
    return {
        "type": "object",
        "properties": known | refused | properties,
        "required": list(required),
        "additionalProperties": False,
    }


def unbounded(fields: Fields) -> Schema:
    """The properties of ``fields`` that have a kind, for a path that asks no engine."""
    return {name: kind.unbounded for name, kind in KINDS.items() if name in fields.taken}


TEXT: Schema = {"type": "string"}
HTML: Schema = {"type": "string", "description": "a page"}
NAME: Schema = {"type": "string", "minLength": 1}
MODEL: Schema = {**NAME, "description": "'auto', an alias, alias@version or the base; see /v1/models"}
SWITCH: Schema = {"type": ["boolean", "null"]}
_OF_OBJECTS: Schema = {"anyOf": [{"const": "object"}, {"type": "array", "contains": {"const": "object"}}]}
IDS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": LAST_ID}}
SAID: Schema = {"type": ["string", "null"]}
SPOKEN: Schema = {"type": "string", "pattern": r"\S"}
STOP: Schema = {"anyOf": [NAME, {"type": "array", "items": NAME, "maxItems": MOST_STOPS}, {"type": "null"}]}
ARGUMENTS: Schema = {
    "type": ["object", "null"],
    "properties": {"type": _OF_OBJECTS},
}
CALLED: Schema = {"type": "string", "pattern": f"^{TOOL_NAME.pattern}$"}
SPECIFIED: Schema = {"name": CALLED, "description": SAID, "strict": SWITCH, "parameters": ARGUMENTS}
_DEFERRED: Schema = {"defer_loading": SWITCH}
_FUNCTION = closed(FUNCTION, SPECIFIED | _DEFERRED, "name")
_TOOL = closed(TOOL, {"type": {"const": "function"}, "function": _FUNCTION, **_DEFERRED}, "function")
TOOLS: Schema = {"type": ["array", "null"], "items": _TOOL}
TOOL_CHOICE: Schema = {
    "anyOf": [
        {"enum": ["none", "auto", "required", None]},
        closed(
            CHOICE,
            {"type": {"const": "function"}, "function": closed(CHOSEN, {"name": NAME}, "name")},
            "function",
        ),
    ]
}
NOTHING: Schema = {"type": "null"}
OPTIONS_OF_STREAM: Schema = {
    "anyOf": [closed(STREAM_OPTIONS, dict.fromkeys(STREAM_OPTIONS.taken, SWITCH)), NOTHING]
}
MARKED: Schema = {
    "anyOf": [
        closed(
            CACHE_BREAKPOINT,
            {"mode": {"const": breakpoints.MODE}, "ttl": {"enum": [*breakpoints.LIFETIMES, None]}},
            "mode",
        ),
        NOTHING,
    ]
}
_PART = {  # which of the others the base can read is the engine's to say
    "anyOf": [
        closed(
            TEXT_PART, {"type": {"const": "text"}, "text": TEXT, breakpoints.NAME: MARKED}, "type", "text"
        ),
        *(
            {
                "type": "object",
                "required": ["type", kind],
                "properties": {
                    "type": {"const": kind},
                    kind: {
                        "type": "object",
                        "required": list(names),
                        "properties": dict.fromkeys(names, TEXT),
                    },
                },
            }
            for kind, names in PARTS.items()
        ),
    ]
}
_CONTENT: list[Schema] = [TEXT, {"type": "array", "items": _PART}]
CALLED_WITH: Schema = {  # which a schema can't say of a text but by how it begins and ends
    **TEXT,
    "pattern": r"^([ \t\n\r]*\{[\s\S]*\}[ \t\n\r]*)?$",
    "description": "a JSON object, as text; empty: no arguments",
}
_MADE = {  # a call that the model made
    "type": "object",
    "required": ["id", "type", "function"],
    "properties": {
        "id": TEXT,
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name", "arguments"],
            "properties": {"name": TEXT, "arguments": CALLED_WITH},
        },
    },
}
_MESSAGE: Schema = {  # only an assistant may have said nothing, beside its calls
    **closed(
        MESSAGE,
        {
            **dict.fromkeys(("name", "tool_call_id", "refusal", "reasoning", "reasoning_content"), SAID),
            "tool_calls": {"type": ["array", "null"], "items": _MADE},
        },
        "role",
    ),
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
    ],
}
_SPOKEN_PART: Schema = {
    "anyOf": [
        {"required": ["text"], "properties": {"text": SPOKEN}},
        {"properties": {"type": {"not": {"const": "text"}}}},
    ]
}
_SPOKEN_MESSAGE: Schema = {  # that somebody says something in
    "anyOf": [
        {
            "required": ["content"],
            "properties": {"content": {"anyOf": [SPOKEN, {"type": "array", "contains": _SPOKEN_PART}]}},
        },
        {"required": ["tool_calls"], "properties": {"tool_calls": {"type": "array", "minItems": 1}}},
    ]
}
_PRIORITY = {"name": "x-pointsman-priority", "in": "header", "schema": {"enum": ["interactive", "batch"]}}
_TRACE = {
    "name": TRACE,
    "in": "header",
    "schema": {"type": "string", "pattern": "^([01]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])?$"},
    "description": "1 or true: show what the chain did, under 'pointsman'",
}
USAGE: Schema = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens"],
    "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
}
_COUNT: Schema = {"type": "integer", "minimum": 0}
USAGE_OF_TEXT: Schema = {  # the details where they are known
    **USAGE,
    "properties": {
        **USAGE["properties"],
        "completion_tokens": _COUNT,
        "completion_tokens_details": {"type": "object", "properties": {"reasoning_tokens": _COUNT}},
    },
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


def ids_to(last: int | None) -> Schema:
    """A list of token ids, none of them beyond ``last``, if that is known."""
    return IDS if last is None else {**IDS, "items": {**IDS["items"], "maximum": last}}


def prompt_to(last: int | None) -> Schema:
    """What a completion goes on from. ``n`` times the prompts has a bound, which a schema can't say."""
    tokens = {**ids_to(last), "minItems": 1}
    several = ({"type": "array", "minItems": 1, "items": part} for part in (TEXT, tokens))
    return {"anyOf": [NAME, tokens, *several]}


def messages_of(most: int) -> Schema:
    """A conversation of at most ``most`` messages; the first can't answer a call."""
    first = {"prefixItems": [other_than("role", "tool")]}
    return {"type": "array", "minItems": 1, "maxItems": most, "items": _MESSAGE, "allOf": [first]}


def written(messages: Schema) -> Schema:
    """``messages`` without pictures and sound."""
    text = {"items": {"properties": {"type": {"not": {"enum": list(PARTS)}}}}}
    return {**messages, "allOf": [*messages["allOf"], {"items": {"properties": {"content": text}}}]}


def spoken(messages: Schema) -> Schema:
    """``messages``, in one of which at least somebody says something."""
    return {**messages, "allOf": [*messages["allOf"], {"contains": _SPOKEN_MESSAGE}]}


def other_than(name: str, value: str) -> Schema:
    """What has another ``value`` under ``name``, or none."""
    return {"not": {"type": "object", "required": [name], "properties": {name: {"const": value}}}}


def headers_of(path: str) -> list[Schema]:
    """The request headers that a path reads beside HTTP's own."""
    if path not in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        return []
    names = {"enum": list(chains_without_options())}
    chain = {"name": CHAIN, "in": "header", "schema": names, "description": "in place of the route's"}
    return [_PRIORITY, chain, _TRACE]


def answer(*required: str, **properties: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": [*required, *properties], "properties": properties}


def with_beside(given: Schema) -> Schema:
    """The answer ``given``, which may have what a chain tells beside it."""
    return {**given, "properties": {**given["properties"], "pointsman": BESIDE}}


def of(model: type[BaseModel]) -> Schema:
    """What a body of ``model`` looks like."""
    schema = model.model_json_schema()
    found: Schema = _resolved(schema, schema.pop("$defs", {}))
    return found


def _resolved(part: Any, named: Schema) -> Any:
    """``part`` with what it refers to in place: a document's references are seen from its root."""
    if isinstance(part, list):
        return [_resolved(one, named) for one in part]
    if not isinstance(part, dict):
        return part
    if (reference := part.get("$ref")) is not None:
        return _resolved(named[reference.removeprefix("#/$defs/")], named)
    return {key: _resolved(one, named) for key, one in part.items()}
