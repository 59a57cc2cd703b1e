"""The events of a chain in OpenAI's form: chunks of a stream, or one completion."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from chains.counted import DETAILS
from chains.errors import ChainError, ChainUnfinished
from chains.events import (
    Citations,
    Content,
    Event,
    Finish,
    ModelCall,
    Note,
    Raw,
    Reasoning,
    Refusal,
    Step,
    Usage,
)

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class ChatForm:
    """Turns events into bytes, in order; one for each answer."""

    model: str
    include_usage: bool = False  # a chunk of its own with the usage at the end of a stream
    trace: bool = False  # steps are shown, under "pointsman", if only to say that there were none
    reasoning: bool = True  # what is reasoned is shown
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    _opened: set[int] = field(default_factory=set)  # the choices that have begun
    _finished: bool = False
    _stepped: bool = False  # a step was told

    def chunks(self, event: Event) -> Iterator[bytes]:
        """The server-sent events that ``event`` becomes; none for a step that is not shown."""
        if self._finished:
            raise _after_finish(event)
        if isinstance(event, Reasoning):
            if not self.reasoning:
                return
            yield from self._delta({"reasoning_content": event.text}, choice=event.choice)
        elif isinstance(event, Content | Refusal):
            name = "content" if isinstance(event, Content) else "refusal"
            yield from self._delta({name: event.text}, choice=event.choice)
        elif isinstance(event, Step | ModelCall | Note):
            if self.trace:
                self._stepped = self._stepped or not isinstance(event, Note)
                yield from self._delta({}, extra={"pointsman": traced_of([event])})
        elif isinstance(event, Citations):
            yield from self._delta({}, extra={"pointsman": _cited([event])}, choice=event.choice or 0)
        elif isinstance(event, Finish):
            self._finished = True
            if self.trace and not self._stepped:
                yield from self._delta({}, extra={"pointsman": {"steps": []}})
            for index, reason in enumerate((event.reason, *event.others)):
                yield from self._delta({}, reason, choice=index)
            if self.include_usage:
                yield _sse(
                    {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(event.usage)}
                )
            yield DONE
        else:
            raise _no_event(event)

    def pass_on(self, raw: Raw) -> bytes:
        """The engine's own bytes, whose end is the engine's to tell."""
        self._finished = True
        return raw.data

    def end(self) -> None:
        """Raises ChainUnfinished if a stream ends here, and without its last event."""
        if not self._finished:
            raise ChainUnfinished

    def completion(self, events: list[Event]) -> bytes:
        """The whole answer as one JSON body; raises ChainError, as the chunks do."""
        if (other := next((e for e in events if not isinstance(e, Event)), None)) is not None:
            raise _no_event(other)
        finish = next((e for e in events if isinstance(e, Finish)), None)
        if finish is None:
            raise ChainUnfinished
        if finish is not events[-1]:
            raise _after_finish(events[-1])
        body = {
            **self._head("chat.completion"),
            "choices": [
                {
                    "index": index,
                    "message": self._message(events, index),
                    "logprobs": None,
                    "finish_reason": reason,
                }
                for index, reason in enumerate((finish.reason, *finish.others))
            ],
            "usage": usage_of(finish.usage),
        }
        extra: dict[str, Any] = {}
        if cited := [event for event in events if isinstance(event, Citations)]:
            extra |= _cited(cited)
        if self.trace:
            extra |= {"steps": [], **traced_of(events)}
        if extra:
            body["pointsman"] = extra
        return orjson.dumps(body, default=str)

    def _message(self, events: Sequence[Event], choice: int) -> dict[str, Any]:
        said = [e for e in events if isinstance(e, Content | Reasoning) and e.choice == choice]
        content = "".join(e.text for e in said if isinstance(e, Content))
        refused = "".join(e.text for e in events if isinstance(e, Refusal) and e.choice == choice) or None
        said_or_none = None if refused is not None else content
        message: dict[str, Any] = {"role": "assistant", "content": said_or_none, "refusal": refused}
        reasoning = "".join(e.text for e in said if isinstance(e, Reasoning))
        if reasoning and self.reasoning:
            message["reasoning_content"] = reasoning
        return message

    def _delta(
        self,
        delta: dict[str, Any],
        reason: str | None = None,
        extra: dict[str, Any] | None = None,
        choice: int = 0,
    ) -> Iterator[bytes]:
        if choice not in self._opened:
            self._opened.add(choice)
            said = None if "refusal" in delta else ""
            yield self._chunk(choice, {"role": "assistant", "content": said}, None)
        yield self._chunk(choice, delta, reason, extra)

    def _chunk(
        self, index: int, delta: dict[str, Any], reason: str | None, extra: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunk: dict[str, Any] = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self.include_usage:
            chunk["usage"] = None
        return _sse({**chunk, **(extra or {})})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _after_finish(event: object) -> ChainError:
    return ChainError(f"the chain gave {type(event).__name__!r} after its Finish, which must be the last")


def _no_event(found: object) -> ChainError:
    return ChainError(f"the chain gave {type(found).__name__!r}, which is no event of chains.events")


def usage_of(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object; the tokens of reasoning stand in it where they are known."""
    reasoned = usage.reasoning_tokens if usage.completion_tokens else 0
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        **({} if reasoned is None else {DETAILS: {"reasoning_tokens": reasoned}}),
    }


def _cited(citations: Sequence[Citations]) -> dict[str, Any]:
    """What the choices cite, each with its choice where there are several."""
    found = []
    for event in citations:
        own = {} if event.choice is None else {"choice": event.choice}
        found += [own | asdict(citation) for citation in event.cited]
    return {"citations": found}


def traced_of(events: Sequence[Event]) -> dict[str, Any]:
    """The calls of tools and of the model among ``events``, and the notes; each under its key, if any."""
    steps = [asdict(event) for event in events if isinstance(event, Step | ModelCall)]
    notes = [{"note": event.about, **event.facts} for event in events if isinstance(event, Note)]
    return {key: found for key, found in (("steps", steps), ("notes", notes)) if found}


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk, default=str) + b"\n\n"
