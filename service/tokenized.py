"""An engine that knows its tokenizer, for chains with words of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from chains.events import Engine


class Tokenized:
    """``engine`` with ``clip``; ``text_of`` and ``tokens_of`` are its tokenizer's."""

    def __init__(
        self,
        engine: Engine,
        text_of: Callable[[Sequence[int]], Awaitable[str]],
        tokens_of: Callable[[str], Awaitable[Sequence[int]]],
    ) -> None:
        self._engine = engine
        self._text_of = text_of
        self._tokens_of = tokens_of

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON, as it is."""
        return await self._engine.complete(body)

    def stream(self, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """The answer as server-sent events, as it is."""
        return self._engine.stream(body)

    async def clip(self, text: str, tokens: int) -> str:
        """The beginning of ``text`` that is so many tokens; a letter of which a part is left goes too."""
        found = await self._tokens_of(text)
        if len(found) <= tokens:
            return text
        said = await self._text_of(found[:tokens])
        pairs = enumerate(zip(text, said, strict=False))
        return text[: next((at for at, (one, other) in pairs if one != other), len(said))]
