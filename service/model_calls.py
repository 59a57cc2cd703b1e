"""The calls of the model that one request makes, for a client that asks for a trace.

Each is told where the engine is asked, so that no chain has to: what a second asking comes to is seen too,
and a form that was refused. Events are passed on one by one, so that a call that is left early counts what
was taken of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chains.closing import closing
from chains.counted import ALONG
from chains.errors import EngineAnswerError
from chains.events import Engine, ModelCall
from chains.purpose import purpose
from chains.sse import DONE, EventReader, json_object, sent


class _Open:
    """A call that may still be under way."""

    def __init__(self) -> None:
        self.ended = False
        self._purpose = purpose()
        self._begun = time.monotonic()
        self._seconds = 0.0
        self._reasons: dict[int, str | None] = {}  # of each choice that has begun
        self._along: dict[int, tuple[int, int]] = {}  # tokens of the prompt and of each choice, so far
        self._all: tuple[int, int] | None = None  # those of the whole answer
        self._error: str | None = None

    def take(self, answer: Mapping[str, Any], *, whole: bool = False) -> None:
        """Take in a whole answer, or a chunk of a stream."""
        try:
            choices = answer.get("choices") or ()
            for choice in choices:
                index = choice["index"]
                self._reasons[index] = choice.get("finish_reason") or self._reasons.get(index)
            if usage := answer.get("usage"):
                cost = (usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
                if whole or not choices:
                    self._all = cost
                else:
                    self._along[choices[0]["index"]] = cost
        except (AttributeError, KeyError, TypeError) as exc:
            raise EngineAnswerError("the engine's answer is not a completion") from exc

    def fail(self, error: Exception) -> None:
        """Say why there is no answer, or no more of it."""
        self._error = str(error)

    def end(self) -> None:
        """Stop the clock."""
        self.ended, self._seconds = True, time.monotonic() - self._begun

    def told(self, model: str) -> ModelCall:
        """What it came to, once it has ended."""
        cost = self._all
        if cost is None and self._along:
            prompts, written = zip(*self._along.values(), strict=True)
            cost = (prompts[0], sum(written))
        prompt, completion = cost or (None, None)
        reasons = tuple(self._reasons[index] for index in sorted(self._reasons))
        return ModelCall(
            model, self._purpose, reasons, prompt, completion, round(self._seconds, 3), self._error
        )


class ModelCalls:
    """Those of one request on ``model``, in the order in which they were begun."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._open: list[_Open] = []

    @contextmanager
    def one(self) -> Iterator[_Open]:
        """A call that begins now and ends with the block."""
        call = _Open()
        self._open.append(call)
        try:
            yield call
        except Exception as exc:
            call.fail(exc)
            raise
        finally:
            call.end()

    def taken(self) -> Iterator[ModelCall]:
        """Those that have ended, but for what began after one that has not; each is given once."""
        while self._open and self._open[0].ended:
            yield self._open.pop(0).told(self._model)


class Watched:
    """``engine`` whose calls are told to ``calls``."""

    def __init__(self, engine: Engine, calls: ModelCalls) -> None:
        self._engine = engine
        self._calls = calls

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON, as it is."""
        with self._calls.one() as call:
            answer = await self._engine.complete(body)
            call.take(json_object(answer), whole=True)
        return answer

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events, each for itself, with no usage but what ``body`` asks for."""
        wanted, reader = body.get("stream_options") or {}, EventReader()
        asked = {**body, "stream_options": {**wanted, **ALONG}}
        with self._calls.one() as call:
            async with closing(self._engine.stream(asked)) as source:
                async for data in source:
                    for chunk in reader.feed(data):
                        call.take(chunk)
                        if _is_left(chunk, wanted):
                            yield sent(chunk)
            reader.end()
        yield DONE


def _is_left(chunk: dict[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether ``chunk`` is to be sent, less the usage that was asked for here only."""
    if not chunk.get("choices"):
        return "usage" not in chunk or bool(wanted.get("include_usage"))
    if not wanted.get("continuous_usage_stats"):
        chunk.pop("usage", None)
    return True
