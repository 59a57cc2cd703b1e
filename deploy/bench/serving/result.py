"""What became of one request: its times, its tokens, or its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from deploy.bench.serving.traffic import Ask
from deploy.bench.serving.wire import Answer

_DATA = b"data: "
_DONE = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Result:
    """One request. Seconds count from when it should have been sent, so that a late start is seen."""

    model: str  # that was asked for; of a routed request also what answered
    seconds: float
    first: float | None = None  # to the first token of a streamed answer
    gaps: tuple[float, ...] = ()  # between pieces of a streamed answer, as they arrive
    per_token: float | None = None  # (last - first) / (tokens - 1) of a streamed answer
    tokens: int = 0  # of the answer, as the server counted, else the pieces that came
    error: str | None = None
    at: float = 0.0  # seconds after the round's begin at which it should have been sent


def result_of(ask: Ask, answer: Answer, began: float, ended: float) -> Result:
    """The result of an answer that came whole."""
    seconds, body = ended - began, bytes(answer.body)
    model = f"{ask.model} → {answer.adapter}" if ask.routed and answer.adapter else ask.model
    if answer.status != 200:
        return Result(model, seconds, error=f"HTTP {answer.status}")
    if not ask.stream:
        whole = _json(body)
        if not whole.get("choices"):
            return Result(model, seconds, error="an empty answer")
        return Result(model, seconds, tokens=_counted(whole.get("usage"), 0))
    if not body.rstrip().endswith(_DONE):
        return Result(model, seconds, error="the stream broke off")
    at, pieces = _first_token(body)
    if at is None or _has_error(body):
        return Result(model, seconds, error=_why(body))
    times = [when for when, length in answer.chunks if length > at]
    tokens = _counted(_json(_last_event(body)).get("usage"), pieces)
    spread = (times[-1] - times[0]) / (tokens - 1) if tokens > 1 else None
    gaps = tuple(after - before for before, after in pairwise(times))
    return Result(model, seconds, times[0] - began, gaps, spread, tokens)


def _first_token(body: bytes) -> tuple[int | None, int]:
    """Where in the body the first event begins that says something, and how many events follow it."""
    at = 0
    while (at := body.find(_DATA, at)) >= 0:
        end = body.find(b"\n", at)
        for choice in _json(body[at + len(_DATA) : end]).get("choices") or ():
            said = choice.get("delta") or {"text": choice.get("text")}
            if any(value for key, value in said.items() if key != "role"):
                return at, body.count(_DATA, at) - 1
        at = end
    return None, 0


def _last_event(body: bytes) -> bytes:
    """The event before ``[DONE]``, which has the usage."""
    before = body.rstrip().removesuffix(_DONE).rstrip()
    return before[before.rfind(_DATA) + len(_DATA) :]


def _why(body: bytes) -> str:
    return "an error in the stream" if _has_error(body) else "an empty answer"


def _has_error(body: bytes) -> bool:
    """Whether an event is an error, also behind tokens; text that a model says is quoted, and is none."""
    at = 0
    while (at := body.find(b'"error"', at)) >= 0:
        begin, end = body.rfind(b"\n", 0, at) + 1, body.find(b"\n", at)
        if _json(body[begin:end].removeprefix(_DATA)).get("error"):
            return True
        at = max(end, at + 1)
    return False


def _counted(usage: object, otherwise: int) -> int:
    tokens = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return tokens if isinstance(tokens, int) else otherwise


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
