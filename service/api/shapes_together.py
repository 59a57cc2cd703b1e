"""What the OpenAPI document says of fields that must, or must not, stand beside others."""

from __future__ import annotations

from service.api.shapes import NOTHING, Schema
from service.dispatch import AUTO

NAMED: Schema = {"not": {"const": AUTO}}
UNASKED: Schema = {"enum": [False, None]}


def needing(name: str, idle: Schema, **needed: Schema) -> Schema:
    """``name`` is ``idle``, or the ``needed`` stand beside it."""
    return {"anyOf": [{"properties": {name: idle}}, {"required": list(needed), "properties": needed}]}


def routed(**properties: Schema) -> Schema:
    """With ``auto`` these have this form."""
    return {"anyOf": [{"properties": {"model": NAMED}}, {"properties": properties}]}


_YES: Schema = {"const": True}
_NO_IDS: Schema = {"type": ["array", "null"], "maxItems": 0}
_AT_ONCE: Schema = {  # what stands before an answer is not streamed
    "anyOf": [{"properties": {"prompt_logprobs": {"enum": [0, None]}}}, {"properties": {"stream": UNASKED}}]
}
STREAMED = needing("stream_options", NOTHING, stream=_YES)
CHOSEN_FROM = needing(  # that the tool is one of them a schema can't say
    "tool_choice", {"enum": ["none", "auto", None]}, tools={"type": "array", "minItems": 1}
)
CONTINUED = needing("continue_final_message", UNASKED, add_generation_prompt={"const": False})
OF_CHAT = (STREAMED, CHOSEN_FROM)  # with three more schemathesis can't make requests any more
OF_COMPLETION = (
    *(STREAMED, _AT_ONCE),
    needing("logprob_token_ids", _NO_IDS, logprobs={"type": "integer"}),
)
