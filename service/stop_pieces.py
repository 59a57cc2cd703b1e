"""An engine whose pieces end where a stop string does, so that what is written up to there can be counted.

A chain that looks for the client's ``stop`` itself leaves the answer there, and its cost is what the last
piece tells. Where the engine is ahead of who reads it, vLLM joins several tokens in a piece, and those behind
the stop string would be counted too. Such a piece is cut here behind the string, by the engine's tokenizer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from chains.closing import closing
from chains.errors import EngineAnswerError
from chains.events import Engine
from chains.sse import EventReader
from service.errors import EngineRefused
from service.token_ids import DONE, event_of, is_left

TextOf = Callable[[Sequence[int]], Awaitable[str]]


class StopPieces:
    """``engine`` for a request with these ``stops``; ``text_of`` is its tokenizer's."""

    def __init__(self, engine: Engine, stops: Sequence[str], text_of: TextOf) -> None:
        self._engine = engine
        self._stops = [stop for stop in stops if stop]
        self._text_of = text_of

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON, as it is: nobody leaves it early."""
        return await self._engine.complete(body)

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events; as it is where its usage is not told along."""
        if not (body.get("stream_options") or {}).get("continuous_usage_stats"):
            async with closing(self._engine.stream(body)) as source:
                async for data in source:
                    yield data
            return
        reader, before, wants_tokens = EventReader(), dict[int, str](), bool(body.get("return_token_ids"))
        async with closing(self._engine.stream({**body, "return_token_ids": True})) as source:
            async for data in source:
                for chunk in reader.feed(data):
                    for piece in await self._pieces(chunk, before):
                        if is_left(piece, wants_tokens):
                            yield event_of(piece)
        reader.end()
        yield DONE

    async def _pieces(self, chunk: dict[str, Any], before: dict[int, str]) -> list[dict[str, Any]]:
        """``chunk``, cut behind each stop string in it; ``before`` is the end of each choice's text."""
        try:
            if len(choices := chunk.get("choices") or []) != 1:
                return [chunk]
            (choice,) = choices
            text, tokens = choice["delta"].get("content") or "", choice.get("token_ids") or []
            known = before.get(choice["index"], "")
            before[choice["index"]] = (known + text)[-max(map(len, self._stops)) :]
            if not text or len(tokens) < 2 or choice["delta"].get("tool_calls"):
                return [chunk]
            ends = _ends(self._stops, known, text)
            cuts = await self._cuts(ends, text, tokens) if ends else []
            return _cut(chunk, choice, cuts) if cuts else [chunk]
        except (AttributeError, KeyError, TypeError) as exc:
            raise EngineAnswerError("the engine's answer is not a chat completion") from exc

    async def _cuts(self, ends: Sequence[int], text: str, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Each of ``ends`` in ``text``, with how many of the ``tokens`` write as far, where that is not all.

        There are none where the engine can't tell, or the text is not that of the tokens.
        """
        cuts = []
        try:
            if not (await self._text_of(tokens)).startswith(text):
                return []
            first = 1
            for end in ends:
                few, many = first, len(tokens)
                while few < many:
                    half = (few + many) // 2
                    if (await self._text_of(tokens[:half])).startswith(text[:end]):
                        many = half
                    else:
                        few = half + 1
                if many == len(tokens):
                    break
                cuts.append((end, many))
                first = many
        except EngineRefused:
            return []
        return cuts


def _ends(stops: Sequence[str], before: str, text: str) -> list[int]:
    """Where in ``text``, which comes behind ``before``, a stop string ends."""
    found, whole = set[int](), before + text
    for stop in stops:
        at = whole.find(stop)
        while at >= 0:
            found.add(at + len(stop) - len(before))
            at = whole.find(stop, at + 1)
    return sorted(end for end in found if end > 0)


def _cut(
    chunk: dict[str, Any], choice: dict[str, Any], cuts: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """``chunk`` with the one ``choice`` as several, each of which ends at a place in text and tokens."""
    text, tokens = choice["delta"]["content"], choice["token_ids"]
    entries = (choice.get("logprobs") or {}).get("content")
    pieces, at, done = [], 0, 0
    for end, many in [*cuts, (len(text), len(tokens))]:
        last = many == len(tokens)
        beside = {} if at or done else choice["delta"]  # the role
        own = {**choice, "delta": {**beside, "content": text[at:end]}, "token_ids": tokens[done:many]}
        if entries:
            own["logprobs"] = {**choice["logprobs"], "content": entries[done:many]}
        if not last:
            own |= dict.fromkeys(("finish_reason", "stop_reason"))
        piece = {**chunk, "choices": [own]}
        if usage := chunk.get("usage"):
            piece["usage"] = _without(usage, len(tokens) - many)
        pieces.append(piece)
        at, done = end, many
    return pieces


def _without(usage: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    less = {name: usage[name] - tokens for name in ("completion_tokens", "total_tokens")}
    return {**usage, **less}
