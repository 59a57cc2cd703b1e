"""Pieces of what vLLM streams, for engines that write them by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def usage(prompt: int, completion: int) -> dict[str, int]:
    """How many tokens there were."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def sse(chunk: Mapping[str, Any]) -> bytes:
    """``chunk`` as a server-sent event, as vLLM writes it."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
