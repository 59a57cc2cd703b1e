"""A streamed answer in OpenAI's form, put together to what the same answer is unstreamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from training.errors import EndpointError
from training.served import said

_DONE = "[DONE]"


def choice(text: str) -> dict[str, Any]:
    """The first choice of the stream ``text`` (server-sent events): ``message`` and ``finish_reason``.

    Raises:
        EndpointError: it holds an error, is no such stream, or breaks off before its end.
    """
    content = ""
    calls: dict[int, dict[str, Any]] = {}
    reason = None
    for event in _events(text):
        try:
            for part in event.get("choices") or ():
                if part.get("index", 0) != 0:
                    continue
                delta = part.get("delta") or {}
                content += said.text(delta.get("content"))
                for piece in said.calls(delta):
                    _join(calls.setdefault(int(piece.get("index", 0)), {"function": {}}), piece)
                reason = part.get("finish_reason") or reason
        except (AttributeError, TypeError, ValueError):
            raise EndpointError(f"a stream holds an event of odd form: {str(event)[:300]}") from None
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {"index": 0, "message": message, "finish_reason": reason}


def _join(call: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add one piece of a tool call to what is there of it."""
    for key in ("id", "type"):
        if piece.get(key):
            call[key] = piece[key]
    function = said.function(piece)
    for key in ("name", "arguments"):
        if function.get(key) is not None:
            call["function"][key] = call["function"].get(key, "") + function[key]


def _events(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.split("\n"):
        data = line.strip().removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == _DONE:
            return
        if not data:
            continue
        try:
            event = json.loads(data)
        except ValueError:
            raise EndpointError(f"a stream holds something that is no JSON: {data[:200]!r}") from None
        if not isinstance(event, dict) or "error" in event:
            raise EndpointError(f"a stream ended with an error: {data[:300]}")
        yield event
    raise EndpointError(f"a stream broke off before its {_DONE}")
