"""What the OpenAPI document says of that which stands beside an answer, under ``pointsman``."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}


def _object(description: str, properties: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TOOL_STEP = _object(
    "a call of a server tool and what came of it",
    {"tool": _TEXT, "arguments": {"type": "object"}, "result": _MAYBE_TEXT, "error": _MAYBE_TEXT},
)
_MODEL_STEP = _object(
    "a call of the model and what it came to",
    {
        "model": {**_TEXT, "description": "alias@version, or the base"},
        "purpose": {**_TEXT, "description": "answer, sample 2, turn 1, repair, ..."},
        "finish_reasons": {
            "type": "array",
            "items": _MAYBE_TEXT,
            "description": "of each choice; null: it was left before its end",
        },
        "prompt_tokens": {**_MAYBE_COUNT, "description": "null: the engine had not told it"},
        "completion_tokens": _MAYBE_COUNT,
        "seconds": {"type": "number", "minimum": 0},
        "error": {**_MAYBE_TEXT, "description": "why the engine refused it"},
    },
)
_NOTE: Schema = {"type": "object", "properties": {"note": _TEXT}, "required": ["note"]}

BESIDE: Schema = {
    "type": "object",
    "description": "what a chain tells beside the answer: passages that it names; with a trace its steps",
    "properties": {
        "citations": {"type": "array", "items": {"type": "object"}},
        "steps": {"type": "array", "items": {"anyOf": [_MODEL_STEP, _TOOL_STEP]}},
        "notes": {"type": "array", "items": _NOTE},
    },
}
