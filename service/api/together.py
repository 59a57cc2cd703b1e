"""Several text completions as one: each has its route, slot and lease, and its choices stand in its place.

They are made at the same time, and streamed as they come. One that fails fails them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from chains.sse import DONE, EventReader, sent
from service.api.errors import tell
from service.api.respond import JSON, SSE, Generated, broken
from service.protocol import PIECES
from service.record import Record

_T = TypeVar("_T")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS, _REASONED = "completion_tokens_details", "reasoning_tokens"


class Together(Response):
    """``parts`` with a record of their own each; ``choices`` is how many each has."""

    def __init__(self, parts: Sequence[tuple[Generated, Record]], record: Record, choices: int) -> None:
        super().__init__()
        self._parts = parts
        self._record = record
        self._choices = choices
        record.intent = _common(own.intent for _, own in parts)
        record.confidence = _common(own.confidence for _, own in parts)
        record.abstained = _common(own.abstained for _, own in parts)
        record.chain = _common(own.chain for _, own in parts) or "-"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As a part does: errors before the first byte are raised, later ones end the stream."""
        alone = {name: value for name, value in scope.items() if name != PIECES}
        if self._record.streamed:
            await self._stream(alone, receive, send)
        else:
            await self._whole(alone, receive, send)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces: list[list[bytes]] = [[] for _ in self._parts]

        def into(at: int) -> Send:
            async def take(message: Message) -> None:
                pieces[at].append(message.get("body", b""))

            return take

        await self._run(scope, receive, [into(at) for at in range(len(self._parts))])
        answers = [orjson.loads(b"".join(one)) for one in pieces]
        choices = [self._placed(choice, at) for at, one in enumerate(answers) for choice in one["choices"]]
        joined = {**answers[0], "choices": choices, "usage": _summed([one["usage"] for one in answers])}
        beside: dict[str, list[Any]] = {}
        for one in answers:
            for name, found in one.get("pointsman", {}).items():
                beside.setdefault(name, []).extend(found)
        body = orjson.dumps({**joined, "pointsman": beside} if beside else joined)
        self._note()
        headers = [*JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, head, turn, usages = False, dict[str, Any](), asyncio.Lock(), list[dict[str, Any]]()

        async def give(data: bytes) -> None:
            nonlocal begun
            if not begun:
                self._note()
                await send({"type": "http.response.start", "status": 200, "headers": SSE})
                begun = True
            await send({"type": "http.response.body", "body": data, "more_body": True})

        def into(at: int) -> Send:
            reader, own = EventReader(), self._parts[at][1]

            async def take(message: Message) -> None:
                piece = message.get("body", b"")
                async with turn:
                    if own.error is not None:
                        raise _PartBroken(piece, own.error)
                    chunks = reader.feed(piece)
                    usages.extend(chunk["usage"] for chunk in chunks if not chunk["choices"])
                    chunks = [chunk for chunk in chunks if chunk["choices"]]
                    if chunks:
                        head.setdefault("id", chunks[0]["id"])
                        head.setdefault("created", chunks[0]["created"])
                        head["model"] = chunks[0]["model"]
                        await give(b"".join(sent(self._chunk(chunk, head, at)) for chunk in chunks))

            return take

        try:
            await self._run(scope, receive, [into(at) for at in range(len(self._parts))])
            if usages:
                usage = {"object": "text_completion", "choices": [], "usage": _summed(usages)}
                await give(sent({**head, **usage}))
            await give(DONE)
        except _PartBroken as exc:
            self._record.error = exc.code
            await give(exc.piece)
        except Exception as exc:
            if not begun:
                raise
            told = tell(exc, self._record.id)
            self._record.error = told.code
            await give(broken(told))
        self._note()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _run(self, scope: Scope, receive: Receive, sinks: Sequence[Send]) -> None:
        """All parts to their end; the first that fails stops the others, and its error is raised."""
        try:
            async with asyncio.TaskGroup() as group:
                for (part, _), sink in zip(self._parts, sinks, strict=True):
                    group.create_task(part(scope, receive, sink), name="prompt")
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def _chunk(self, chunk: Mapping[str, Any], head: Mapping[str, Any], at: int) -> dict[str, Any]:
        choices = [self._placed(choice, at) for choice in chunk["choices"]]
        return {**chunk, "id": head["id"], "created": head["created"], "choices": choices}

    def _placed(self, choice: Mapping[str, Any], at: int) -> dict[str, Any]:
        return {**choice, "index": at * self._choices + choice["index"]}

    def _note(self) -> None:
        """Take down what is known of all parts."""
        owns = [own for _, own in self._parts]
        self._record.adapter = _common(own.adapter for own in owns)
        self._record.count(
            sum(own.prompt_tokens or 0 for own in owns), sum(own.completion_tokens or 0 for own in owns)
        )


class _PartBroken(Exception):
    """A part's stream has told an error as its last event, ``piece``."""

    def __init__(self, piece: bytes, code: str) -> None:
        super().__init__(code)
        self.piece = piece
        self.code = code


def _common(values: Iterable[_T | None]) -> _T | None:
    """What all of ``values`` are; None where they differ."""
    first, *others = values
    return first if all(one == first for one in others) else None


def _summed(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One usage for all; what was reasoned is told if it is known of each."""
    counts: dict[str, Any] = {name: sum(usage[name] for usage in usages) for name in _COUNTS}
    details = [(usage.get(_DETAILS) or {}).get(_REASONED) for usage in usages]
    known = [one for one in details if one is not None]
    return {**counts, _DETAILS: {_REASONED: sum(known)}} if len(known) == len(details) else counts
