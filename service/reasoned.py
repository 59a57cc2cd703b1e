"""An engine that tells how many of the tokens that it wrote are reasoning.

vLLM does so itself where it has a parser of reasoning. Where it has none, the tags stand in the content, and
the tokens between them are counted here, as vLLM counts: without the tags, and to the end where none closes.
A token that is partly a tag belongs to the tag. What can't be counted exactly is not told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from chains.closing import closing
from chains.counted import DETAILS
from chains.errors import EngineAnswerError
from chains.events import Engine
from chains.parameters import formats_of
from chains.splitter import TAGS, goes_on_thinking, may_begin
from chains.sse import EventReader, json_object
from service.errors import EngineRefused
from service.token_ids import DONE, event_of, forget_token_ids, is_left

_NOT_CHAT = "the engine's answer is not a chat completion"


class Tags:
    """Finds the tags of reasoning among tokens; ``text_of`` and ``tokens_of`` are the tokenizer's."""

    def __init__(
        self,
        text_of: Callable[[Sequence[int]], Awaitable[str]],
        tokens_of: Callable[[str], Awaitable[Sequence[int]]],
    ) -> None:
        self._text_of = text_of
        self._tokens_of = tokens_of
        self._numbers: dict[str, int | None] = {}  # of tags that are one token; None: of several

    async def place(self, tag: str, text: str, tokens: Sequence[int]) -> tuple[int, int] | None:
        """The first token of the first ``tag`` in ``text`` and the first behind it, among its ``tokens``.

        None: the text is not that of the tokens, or the engine can't tell.
        """
        try:
            number = await self._number(tag)
            if number is not None and tokens.count(number) == text.count(tag):
                return tokens.index(number), tokens.index(number) + 1
            return await self._spelled(tag, text, tokens)
        except EngineRefused:
            return None

    async def _number(self, tag: str) -> int | None:
        if tag not in self._numbers:
            found = await self._tokens_of(tag)
            is_one = len(found) == 1 and await self._text_of(found) == tag
            self._numbers[tag] = found[0] if is_one else None
        return self._numbers[tag]

    async def _spelled(self, tag: str, text: str, tokens: Sequence[int]) -> tuple[int, int] | None:
        """The place of a tag that the model wrote in several tokens."""
        if not tokens or (await self._text_of(tokens)).count(tag) != text.count(tag):
            return None
        few, many = 1, len(tokens)
        while few < many:
            half = (few + many) // 2
            if tag in await self._text_of(tokens[:half]):
                many = half
            else:
                few = half + 1
        begin = many - 1
        while tag not in await self._text_of(tokens[begin:many]):
            begin -= 1
        return begin, many


class _Choice:
    """One choice of an answer, as far as it has come."""

    def __init__(self, tags: Tags, inside: bool, guided: bool) -> None:
        self._tags = tags
        self._inside = inside  # what comes is reasoning
        self._guided = guided  # only a tag at the very beginning is one
        self._opens = True  # a tag may still open
        self._text = ""  # since the last tag, as far as one may begin in it
        self._tokens: list[int] = []  # since the last tag
        self._before = 0  # tokens of the reasoning that has ended
        self._is_known = True
        self._is_told = False  # the engine gives tokens

    @property
    def reasoned(self) -> int | None:
        """How many tokens are reasoning; None: not known."""
        if not self._is_known or not self._is_told:
            return None
        return self._before + (len(self._tokens) if self._inside else 0)

    async def take(self, said: Mapping[str, Any], tokens: Sequence[int] | None) -> None:
        """Take in a delta, or a whole message, and its tokens."""
        if tokens is not None:
            self._is_told = True
            self._tokens += tokens
        if said.get("reasoning") or said.get("reasoning_content"):
            self._is_known = False  # the engine took it out of the content
        self._text += said.get("content") or ""
        if self._guided and self._opens and not self._inside:
            self._opens = may_begin(self._text, [self._awaited])
        while self._is_known and (self._inside or self._opens) and (tag := self._awaited) in self._text:
            place = await self._tags.place(tag, self._text, self._tokens)
            self._is_known = place is not None
            self._turn(tag, *(place or (0, 0)))
        self._text = self._text[1 - len(self._awaited) :]

    @property
    def _awaited(self) -> str:
        return TAGS["reasoning"][self._inside]

    def _turn(self, tag: str, begin: int, end: int) -> None:
        self._before += begin if self._inside else 0
        self._inside = not self._inside
        self._opens = not self._guided
        self._text = self._text.partition(tag)[2]
        self._tokens = self._tokens[end:]


class CountedReasoning:
    """``engine`` with the tokens of reasoning in the usage of its answers."""

    def __init__(self, engine: Engine, tags: Tags) -> None:
        self._engine = engine
        self._tags = tags

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON."""
        answer = json_object(await self._engine.complete({**body, "return_token_ids": True}))
        await self._count(answer, {}, body)
        if not body.get("return_token_ids"):
            forget_token_ids(answer)
        return orjson.dumps(answer)

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events."""
        reader, choices = EventReader(), dict[int, _Choice]()
        wants_tokens = bool(body.get("return_token_ids"))
        async with closing(self._engine.stream({**body, "return_token_ids": True})) as source:
            async for data in source:
                events = []
                for chunk in reader.feed(data):
                    await self._count(chunk, choices, body)
                    if is_left(chunk, wants_tokens):
                        events.append(event_of(chunk))
                if events:
                    yield b"".join(events)
        reader.end()
        yield DONE

    async def _count(
        self, answer: dict[str, Any], choices: dict[int, _Choice], body: Mapping[str, Any]
    ) -> None:
        """Take in a whole answer or a chunk, and have its usage tell what the engine's does not.

        The usage of a chunk with choices is theirs, that of one without is all choices'.
        """
        try:
            here = []
            for choice in answer.get("choices") or ():
                index = choice["index"]
                if index not in choices:
                    inside = goes_on_thinking(body, body["messages"])
                    choices[index] = _Choice(self._tags, inside, bool(formats_of(body)))
                said = choice.get("delta") or choice.get("message") or {}
                await choices[index].take(said, choice.get("token_ids"))
                here.append(choices[index])
            usage = answer.get("usage")
            counts = [choice.reasoned for choice in here or choices.values()]
            if usage and usage.get(DETAILS) is None and None not in counts:
                usage[DETAILS] = {"reasoning_tokens": sum(filter(None, counts))}
        except (AttributeError, KeyError, TypeError) as exc:
            raise EngineAnswerError(_NOT_CHAT) from exc
