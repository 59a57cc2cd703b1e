"""What became of one request: its times, its tokens, or its error."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

import orjson

from deploy.bench.serving.traffic import Ask
from deploy.bench.serving.wire import Answer

# the data of an event, in a line of its own; the space is optional, and lines may end as in any of three ways
# (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)
_EVENT = re.compile(rb"(?<![^\r\n])data: ?([^\r\n]*)")
_DONE = b"[DONE]"
_LONGEST_MESSAGE = 300  # characters


@dataclass(frozen=True, slots=True)
class Result:
    """One request. Seconds count from when it should have been sent, so that a late start is seen."""

    model: str  # that was asked for; of a routed request also what answered
    seconds: float
    first: float | None = None  # to the first token of a streamed answer
    gaps: tuple[float, ...] = ()  # between pieces of a streamed answer, as they arrive, to the last with text
    per_token: float | None = None  # (last - first) / (tokens - 1) of a streamed answer
    tokens: int = 0  # of the answer, as the server counted
    counted: bool = True  # else the server did not: tokens are the pieces that came, 0 of a whole answer
    error: str | None = None
    message: str = ""  # what the server said to an error, cut
    at: float = 0.0  # seconds after the round's begin at which it should have been sent
    caller: int = 0  # whose key it had, from 0


def result_of(ask: Ask, answer: Answer, began: float, ended: float) -> Result:
    """The result of an answer that came whole."""
    seconds, body = ended - began, bytes(answer.body)
    model = f"{ask.model} → {answer.adapter}" if ask.routed and answer.adapter else ask.model
    if answer.status != 200:
        return Result(model, seconds, error=f"HTTP {answer.status}", message=_message(body))
    if not ask.stream:
        whole = _json(body)
        if not whole.get("choices"):
            return Result(model, seconds, error="an empty answer", message=_message(body))
        tokens = _counted(whole)
        return Result(model, seconds, tokens=tokens or 0, counted=tokens is not None)
    return _streamed(model, answer, body, began, seconds)


def _streamed(model: str, answer: Answer, body: bytes, began: float, seconds: float) -> Result:
    if (failed := _error(body)) is not None:
        return Result(model, seconds, error="an error in the stream", message=_message(failed))
    backwards = _backwards(body)
    if (last := next(backwards, None)) is None:
        return Result(model, seconds, error="no stream", message=_message(body))
    if last[1].strip() != _DONE:
        return Result(model, seconds, error="the stream broke off")
    texts = _texts(body)
    if (at := next(texts, None)) is None:
        return Result(model, seconds, error="an empty answer")
    event = next(backwards)  # before the end
    counted = _counted(_json(event[1]))
    while not _says(_json(event[1])):  # what follows the last text would count as gaps of 0
        event = next(backwards)
    tokens = 1 + sum(1 for _ in texts) if counted is None else counted
    pieces = [bisect_right(answer.chunks, where, key=itemgetter(1)) for where in (at, event.start())]
    times = [when for when, _ in answer.chunks[pieces[0] : pieces[1] + 1]]
    spread = (times[-1] - times[0]) / (tokens - 1) if tokens > 1 else None
    gaps = tuple(after - before for before, after in pairwise(times))
    first = times[0] - began
    return Result(model, seconds, first, gaps, spread, tokens, counted is not None)


def _texts(body: bytes) -> Iterator[int]:
    """Where in the body the events begin that say something."""
    return (event.start() for event in _EVENT.finditer(body) if _says(_json(event[1])))


def _says(event: Mapping[str, Any]) -> bool:
    """Whether an event has text, of whatever kind."""
    for choice in event.get("choices") or ():
        said = choice.get("delta") or {"text": choice.get("text")}
        if any(value for key, value in said.items() if key != "role"):
            return True
    return False


def _backwards(body: bytes) -> Iterator[re.Match[bytes]]:
    """The events from the last one on; most are never looked at, which is what counts under load."""
    at = len(body)
    while (at := body.rfind(b"data:", 0, at)) >= 0:
        if (event := _EVENT.match(body, at)) is not None:
            yield event


def _error(body: bytes) -> bytes | None:
    """An event that is an error, also behind tokens; text that a model says is quoted, and is none."""
    if b'"error"' not in body:
        return None
    events = (event[1] for event in _EVENT.finditer(body))
    return next((event for event in events if b'"error"' in event and _json(event).get("error")), None)


def _message(body: bytes) -> str:
    """What an error says, in one line: its message in one of the usual places, else the body as it is."""
    found: object = _json(body)
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and found.get(key):
            found = found[key]
    if isinstance(found, Mapping | list):
        text = orjson.dumps(found).decode() if found else body.decode("utf-8", "replace")
    else:
        text = str(found)
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def _counted(answer: Mapping[str, Any]) -> int | None:
    """The tokens that the server counted; None if it did not."""
    usage = answer.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return tokens if isinstance(tokens, int) else None


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
