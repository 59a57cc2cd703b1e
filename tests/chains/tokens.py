"""Tokens as the engine tells them with their log-probabilities."""

from __future__ import annotations

from typing import Any


def entry(token: str) -> dict[str, Any]:
    """What stands under ``logprobs.content`` for one."""
    return {"token": token, "logprob": -1.0, "bytes": list(token.encode()), "top_logprobs": []}
