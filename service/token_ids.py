"""Answers of an engine that is asked for the numbers of its tokens by us, and not by the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

DONE = b"data: [DONE]\n\n"


def event_of(chunk: Mapping[str, Any]) -> bytes:
    """``chunk`` as a server-sent event."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def is_left(chunk: dict[str, Any], wants_tokens: bool) -> bool:
    """Whether anything of ``chunk`` is to be sent, less what was asked for here only."""
    choices = chunk.get("choices") or []
    if not choices:
        return True
    if not wants_tokens:
        forget_token_ids(chunk)
    chunk["choices"] = [
        choice
        for choice in choices
        if _says(choice["delta"]) or choice.get("finish_reason") or choice.get("logprobs") or wants_tokens
    ]
    return bool(chunk["choices"])


def forget_token_ids(answer: dict[str, Any]) -> None:
    """Take the numbers of the tokens out of a whole answer or a chunk."""
    answer.pop("prompt_token_ids", None)
    for choice in answer.get("choices") or []:
        choice.pop("token_ids", None)


def _says(delta: Mapping[str, Any]) -> bool:
    """Whether ``delta`` has anything but the null that vLLM leaves beside the pieces of a call."""
    return any(value is not None for value in delta.values())
