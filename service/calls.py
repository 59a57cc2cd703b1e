"""An engine whose tool calls can always be read, or are told as the model wrote them.

vLLM reads calls out of the model's text. One that it can't read it gives as content where the answer is
whole; where it is streamed, it drops the call, or sends half of it. So calls are held back here until they
are whole, what the model wrote is looked at once more, and where it can't be read the model is asked again
with ``tool_choice: required``, under which vLLM lets it write nothing but a call of the tools' form. If that
gives none either, the text itself is the content. A call for which the tokens ran out is told as far as it
came. Answers without tools pass untouched.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chains.answer import Call
from chains.closing import closing
from chains.errors import EngineAnswerError
from chains.events import Engine
from chains.parameters import calls_tools
from chains.sse import EventReader, json_object
from service.errors import EngineRefused
from service.second_try import Again, asked_again, is_auto
from service.token_ids import DONE, event_of, forget_token_ids, is_left
from service.written import OPENING, calls_as_far, is_readable, whole_calls

log = logging.getLogger("pointsman.calls")

_LAST = ("choices", "prompt_token_ids")  # of a chunk, what is not for one before it
_UNSAID = 2  # tokens at the end without any text that are too many: one is the end itself

TextOf = Callable[[Sequence[int]], Awaitable[str]]


@dataclass(slots=True)
class _Choice:
    """One choice of a stream, as far as it has come."""

    tokens: list[int] = field(default_factory=list)
    unsaid: int = 0  # tokens since the last text
    calls: list[Call] = field(default_factory=list)
    again: Again = field(default_factory=Again)

    def take(self, delta: dict[str, Any], tokens: Sequence[int]) -> None:
        """Take the calls out of ``delta`` and remember them."""
        self.tokens += tokens
        said = delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content")
        self.unsaid = 0 if said else self.unsaid + len(tokens)
        for position, call in enumerate(delta.pop("tool_calls", None) or []):
            index, function = call.get("index", position), call.get("function") or {}
            while len(self.calls) <= index:
                self.calls.append(Call())
            known = self.calls[index]
            known.id = known.id or call.get("id") or ""
            known.name = known.name or function.get("name") or ""
            known.arguments += function.get("arguments") or ""


class ReadableCalls:
    """``engine`` with calls that can be read; ``text_of`` is its tokenizer's."""

    def __init__(self, engine: Engine, text_of: TextOf) -> None:
        self._engine = engine
        self._text_of = text_of

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON."""
        if not calls_tools(body):
            return await self._engine.complete(body)
        answer = json_object(await self._engine.complete({**body, "return_token_ids": True}))
        again = Again()
        for choice in answer.get("choices") or []:
            if _is_broken(choice):
                again.add(await self._mended(choice, body))
            message = choice["message"]
            if message.get("tool_calls") and not message.get("content"):
                message["content"] = None  # as with OpenAI; vLLM says ""
        again.add_to(answer)
        if not body.get("return_token_ids"):
            forget_token_ids(answer)
        return orjson.dumps(answer)

    async def _mended(self, choice: dict[str, Any], body: Mapping[str, Any]) -> Again:
        """Have a whole choice say its calls, those of a second try, or what the model wrote."""
        if choice.get("finish_reason") == "length":
            _tell_as_far(choice)
            return Again()
        if _told(choice, body):
            return Again()
        again = await asked_again(self._engine, body)
        if again.calls:
            _tell(choice, again.calls, body)
            return again
        message = choice["message"]
        if message.get("tool_calls"):
            written = _unread(await self._written(choice, choice.get("token_ids") or []))
            message |= {"content": (message.get("content") or "") + written, "tool_calls": []}
        choice["finish_reason"] = "stop"  # whatever vLLM says: it is text
        return again

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events; each call comes whole, at the end of its choice."""
        if not calls_tools(body):
            async with closing(self._engine.stream(body)) as source:
                async for data in source:
                    yield data
            return
        reader, choices = EventReader(), dict[int, _Choice]()
        async with closing(self._engine.stream({**body, "return_token_ids": True})) as source:
            async for data in source:
                for chunk in reader.feed(data):
                    for choice in chunk.get("choices") or []:
                        tokens = choice.get("token_ids") or []
                        state = choices.setdefault(choice["index"], _Choice())
                        state.take(choice["delta"], tokens)
                        ends = choice.get("finish_reason") is not None
                        told = await self._end(choice, state, body) if ends else {}
                        state.again.add_to(chunk)
                        if told:
                            yield event_of(_before_the_end(chunk, choice["index"], told))
                    if not chunk.get("choices"):
                        for state in choices.values():
                            state.again.add_to(chunk)
                    if is_left(chunk, bool(body.get("return_token_ids"))):
                        yield event_of(chunk)
        reader.end()
        yield DONE

    async def _end(self, choice: dict[str, Any], state: _Choice, body: Mapping[str, Any]) -> dict[str, Any]:
        """A delta with the calls of a choice that ends, those of a second try, or what the model wrote."""
        if not state.calls and state.unsaid < _UNSAID:
            return {}
        written = await self._written(choice, state.tokens)
        calls, cut = whole_calls(written, state.calls), choice["finish_reason"] == "length"
        if cut and (
            calls is None or not is_auto(body)
        ):  # of whole ones vLLM says under auto that it was they
            begun = calls_as_far(written, state.calls)
            return {"tool_calls": _indexed(begun)} if begun else {}
        if calls is None:
            state.again = await asked_again(self._engine, body)
            calls = list(state.again.calls) or None
        if calls:
            choice["finish_reason"] = _reason(body)
            return {"tool_calls": _indexed(calls)}
        if calls is not None:
            return {}
        choice["finish_reason"] = "stop"
        choice["delta"].pop("content", None)
        return {"content": _unread(written)}

    async def _written(self, choice: Mapping[str, Any], tokens: Sequence[int]) -> str:
        """All that the model wrote in a choice; nothing where the engine can't tell."""
        ended = choice["finish_reason"] != "length" and not isinstance(choice.get("stop_reason"), str)
        try:
            return await self._text_of(tokens[:-1] if ended else tokens) if tokens else ""
        except EngineRefused as exc:
            log.warning("the engine gives no text of tokens: %s", exc)
            return ""


def _is_broken(choice: Mapping[str, Any]) -> bool:
    message = choice["message"]
    if calls := message.get("tool_calls"):
        return not all(map(is_readable, calls))
    return OPENING in (message.get("content") or "")


def _told(choice: dict[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether the calls that vLLM left in the content could be read, and are told."""
    content = choice["message"].get("content") or ""
    calls = whole_calls(content, ()) if OPENING in content else None
    if calls:
        _tell(choice, calls, body)
    return bool(calls)


def _tell(choice: dict[str, Any], calls: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> None:
    """Have a whole choice say ``calls``, and of its content what was said before them."""
    message = choice["message"]
    before = (message.get("content") or "").partition(OPENING)[0]
    message |= {"content": before or None, "tool_calls": calls}
    choice["finish_reason"] = _reason(body)


def _tell_as_far(choice: dict[str, Any]) -> None:
    """Have a choice that ran out of tokens in a call say what of its calls there is."""
    message = choice["message"]
    before, tag, _ = (message.get("content") or "").partition(OPENING)
    if not tag:
        return
    calls = calls_as_far(message["content"], ())
    message |= {"content": before or (None if calls else ""), "tool_calls": calls}


def _unread(written: str) -> str:
    """What the model wrote from its first call on.

    Raises:
        EngineAnswerError: nobody knows what it wrote.
    """
    if not written:
        raise EngineAnswerError("the model's tool call can't be read")
    return written[max(written.find(OPENING), 0) :]


def _before_the_end(chunk: Mapping[str, Any], index: int, delta: dict[str, Any]) -> dict[str, Any]:
    """A chunk of its own for ``delta``: OpenAI's client takes a call for done once the end comes after."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    return {**{key: value for key, value in chunk.items() if key not in _LAST}, "choices": [choice]}


def _indexed(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"index": at, **call} for at, call in enumerate(calls)]


def _reason(body: Mapping[str, Any]) -> str:
    """Why an answer ended that is calls: OpenAI says "stop" where the client named the function."""
    return "stop" if isinstance(body.get("tool_choice"), Mapping) else "tool_calls"
