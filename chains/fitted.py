"""Results of tools, cut to what the model can read beside the conversation.

How much that is, only the engine knows: it is asked for one token with less and less of each result, until
it takes the prompt and room is left for an answer. What is tried is no part of the answer, but of its cost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from chains.errors import ContextFull, ResultsTooLong
from chains.events import Message, Note
from chains.messages import text_of
from chains.tool_call import cut

_LEAST = 100  # characters of a result: less says nothing
_UNBOUNDED = 1 << 62  # tokens of a context that nobody told


@dataclass(slots=True)
class Kept:
    """How much of each result of one run the model is told; ``characters`` None: all that there is."""

    characters: int | None = None

    def of(self, text: str) -> str:
        """``text`` of a result, as it is told."""
        return text if self.characters is None else cut(text, self.characters)

    def told(self, messages: Sequence[Message], first: int) -> list[Message]:
        """``messages`` with less of the results behind the ``first`` ones, which are the client's."""
        rest = [
            {**message, "content": self.of(text_of(message))} if message.get("role") == "tool" else message
            for message in messages[first:]
        ]
        return [*messages[:first], *rest]

    def note(self) -> Note | None:
        """What was cut to fit; None: nothing."""
        return None if self.characters is None else Note("cut", {"tool_characters": self.characters})

    async def lower(
        self,
        messages: Sequence[Message],
        first: int,
        full: ContextFull,
        asked: int | None,
        tokens: Callable[[list[Message]], Awaitable[int | None]],
    ) -> None:
        """Keep less, after the engine said ``full`` of ``messages``.

        Args:
            asked: tokens that the answer may have; None: not bounded.
            tokens: how many tokens a prompt has; None: too many.

        Raises:
            ContextFull: no tool has answered yet, so ``messages`` are the client's alone.
            ResultsTooLong: they do not fit with 100 characters of each result.
        """
        results = [message for message in messages[first:] if message.get("role") == "tool"]
        if not results:
            raise full
        limit = _UNBOUNDED if full.limit is None else full.limit
        room = limit // 4 if asked is None else min(asked, limit // 2)
        longest = max(len(self.of(text_of(message))) for message in results)
        keep = longest if self.characters is None else min(longest, self.characters)
        while keep > _LEAST:
            keep = max(_LEAST, keep * 2 // 3)
            found = await tokens(Kept(keep).told(messages, first))
            if found is not None and (found + room <= limit or keep == _LEAST or full.limit is None):
                self.characters = keep
                return
        raise ResultsTooLong(sorted({str(message.get("name")) for message in results}))
