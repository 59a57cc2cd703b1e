"""What vLLM adds to OpenAI's form, taken out of its bytes where nobody asked for it.

Nothing is parsed. A field's name after a comma can't be met inside a JSON string, where its quotes would be
escaped, so a search for the bytes is enough. A field that has a value stays: its request asked for it.
"""

from __future__ import annotations

import re

_NULL = (
    *("token_ids", "prompt_token_ids", "prompt_text", "prompt_logprobs", "routed_experts", "reasoning"),
    *("kv_transfer_params", "ec_transfer_params", "metrics"),
    # OpenAI has these, and not as null
    *("annotations", "function_call", "prompt_tokens_details", "completion_tokens_details"),
)
_EXTRA = re.compile(
    rb',"(?:(?:%b)":null|stop_reason":(?:null|-?\d+|"(?:[^"\\]|\\.)*"))' % "|".join(_NULL).encode()
)


def openai_form(data: bytes) -> bytes:
    """``data``, whole JSON bodies or server-sent events as vLLM writes them, in OpenAI's form."""
    return _EXTRA.sub(b"", data)
