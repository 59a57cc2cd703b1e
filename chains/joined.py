"""The log-probabilities of the tokens that are in the content: joined they are the content.

The engine tells those of every token that it made: the one that ends the answer, those of a call and of a
stop string too. As with OpenAI these go, and so does a token that a stop string cuts in two.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from chains.closing import closing
from chains.errors import EngineAnswerError
from chains.events import ChainRequest, Engine, Raw
from chains.logprobs import Entry, bytes_of
from chains.sse import DONE, EventReader, dumped, json_object, sent

_PARTLY = "\N{REPLACEMENT CHARACTER}".encode()  # how a token is told that is a part of a character


def wants_joined(parameters: Mapping[str, Any]) -> bool:
    """Whether log-probabilities are asked for by the tokens' texts, of an answer that holds no others'."""
    return bool(parameters.get("logprobs")) and not (
        parameters.get("return_tokens_as_token_ids") or parameters.get("echo")
    )


async def joined(request: ChainRequest, engine: Engine) -> AsyncGenerator[Raw, None]:
    """The engine's own answer but for the log-probabilities that are not of its content.

    Raises:
        EngineAnswerError: the engine reports an error, or its answer is not of OpenAI's form.
    """
    choices: dict[int, JoinedTokens] = {}
    body = {**request.parameters, "messages": list(request.messages), "stream": request.stream}
    if not request.stream:
        answer = json_object(await engine.complete(body))
        _take(answer, choices)
        yield Raw(dumped(answer))
        return
    reader = EventReader()
    async with closing(engine.stream(body)) as source:
        async for data in source:
            if chunks := reader.feed(data):
                for chunk in chunks:
                    _take(chunk, choices)
                yield Raw(b"".join(map(sent, chunks)))
    reader.end()
    yield Raw(DONE)


def _take(answer: dict[str, Any], choices: dict[int, JoinedTokens]) -> None:
    """Change a chunk, or a whole answer, in place."""
    try:
        for choice in answer.get("choices") or ():
            said = choice["delta"] if "delta" in choice else choice["message"]
            known = choices.setdefault(choice["index"], JoinedTokens())
            if said.get("reasoning") or said.get("reasoning_content"):
                known.give_all()  # the engine took it out of the content, by tags of its own
            found = choice.get("logprobs") or {}
            ended = choice.get("finish_reason") is not None
            kept = known.take(found.get("content") or (), said.get("content") or "", ended=ended)
            if found or kept:
                choice["logprobs"] = {**found, "content": kept} if kept or "message" in choice else None
    except (AttributeError, KeyError, TypeError) as exc:
        raise EngineAnswerError("the engine's answer is not a chat completion") from exc


class JoinedTokens:
    """The tokens of one choice and its content, in pieces as they come; a token waits for its text.

    White space that only one of them has makes no difference: it is dropped next to a tag, and put between
    passages. A token that is part of a character is taken for one of the content.
    """

    def __init__(self) -> None:
        self._content = b""  # whose tokens have not come
        self._held: list[Entry] = []
        self._is_lost = False  # parts of a character came, and how many bytes they are is not known
        self._gives_all = False

    def give_all(self) -> None:
        """Keep every token from now on, those that wait too."""
        self._gives_all = True

    def take(self, entries: Sequence[Entry], content: str, *, ended: bool) -> list[Entry]:
        """The entries that are now known to be of the content; with ``ended`` no more of either come."""
        self._content += content.encode("utf-8", "surrogatepass")
        self._held += entries
        if self._gives_all:
            given, self._held = self._held, []
            return given
        given = []
        while self._held:
            data = bytes_of(self._held[0])
            if (length := self._length(data)) is None and self._may_come(data):
                break
            entry = self._held.pop(0)
            if length is not None:
                self._content = self._content[length:]
                given.append(entry)
        if ended:
            self._held = []
        return given

    def _length(self, data: bytes) -> int | None:
        """How much of the content ``data`` takes, from its beginning; None: it is not there."""
        if self._content.startswith(data):
            self._is_lost = self._is_lost and not data
            return len(data)
        bare, behind = data.lstrip(), self._content.lstrip()
        if bare and behind.startswith(bare):
            self._is_lost = False
            return len(self._content) - len(behind) + len(bare)
        if self._content and _PARTLY in data:
            self._is_lost = True
            return 0
        if self._is_lost and (at := self._content.find(data)) >= 0:
            self._is_lost = False
            return at + len(data)
        return None

    def _may_come(self, data: bytes) -> bool:
        """Whether more of the content may turn out to be ``data``."""
        return self._is_lost or data.lstrip().startswith(self._content.lstrip())
