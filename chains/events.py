"""What a chain needs and what it gives: a request, an engine callable, and an iterator of events.

A chain does not know HTTP nor which adapter it is on. Whoever runs it turns its events into a response.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from chains.resources import Resources

Message = dict[str, Any]  # one message in OpenAI's chat form


class Engine(Protocol):
    """One model that answers chat completions; ``body`` is OpenAI's, without ``model``.

    Both raise what the engine's owner raises (unavailable, or a :class:`chains.errors.Refused`). Closing
    the iterator, or cancelling the awaiting task, cancels the engine's work.
    """

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as the engine's JSON bytes."""
        ...

    def stream(self, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """The answer as server-sent events, bytes as they arrive, cut anywhere."""
        ...


@runtime_checkable
class Tokenizing(Protocol):
    """An engine that knows its tokenizer, as the gateway's does."""

    async def clip(self, text: str, tokens: int) -> str:
        """The beginning of ``text`` that is at most so many tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run of a chain."""

    steps: int = 6  # calls of the model, one after the other
    seconds: float = 120.0  # wall clock for the whole run
    tool_seconds: float = 10.0  # wall clock for one tool call
    tool_characters: int = 8_000  # of a tool's result that the model gets to see


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """One conversation to answer."""

    messages: Sequence[Message]  # rendered: the prompt template is already in front
    parameters: Mapping[str, Any]  # the rest of the body: sampling, the client's tools, stop, ...
    stream: bool
    tools: Sequence[str] = ()  # names of server tools, registered in the entry points pointsman.tools
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens over all of a chain's calls of the engine."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int | None = None  # of the completion; None: nobody counted them

    def __add__(self, other: Usage) -> Usage:
        counts = [one.reasoning_tokens for one in (self, other) if one.completion_tokens]
        known = [count for count in counts if count is not None]
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            sum(known) if known and len(known) == len(counts) else None,
        )


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes of the engine, passed on untouched: server-sent events if streamed, else the JSON body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reasoning:
    """More text of ``reasoning_content``."""

    text: str
    choice: int = 0  # index of the answer, where the client asked for several


@dataclass(frozen=True, slots=True)
class Content:
    """More text of ``content``."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer of the form that the client asked for, in words; there is no Content then."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One tool call and what came of it; shown only to a client that asks for a trace."""

    tool: str
    arguments: Mapping[str, Any]
    result: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of the model; told by who owns the engine, and shown only to a client that asks for a trace.

    The two counts are None where the call was left, or refused, before the engine told them.
    """

    model: str  # the engine's name of it: alias@version, or the base's
    purpose: str  # "answer", "sample 2", "repair", ...; see chains.purpose
    finish_reasons: tuple[str | None, ...]  # of each choice; None: it was left before its end
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a chain did besides calling a tool or the model; shown only to a client that asks for a trace."""

    about: str  # "repair", "vote", ...
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that the content names by ``number``, as ``[1]``."""

    number: int
    document: str
    heading: str  # "": none
    text: str


@dataclass(frozen=True, slots=True)
class Citations:
    """The passages that the content names, all of them; given beside it to every client."""

    cited: tuple[Citation, ...]
    choice: int | None = None  # whose content it is; None: there is only one


Reason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event of every chain that does not pass raw bytes."""

    reason: Reason
    usage: Usage
    others: tuple[Reason, ...] = ()  # why the second choice ended, the third, ...


Event = Raw | Reasoning | Content | Refusal | Step | ModelCall | Note | Citations | Finish


@runtime_checkable
class Waiting(Protocol):
    """A chain that may be live before all that it needs is there; its requests are refused until then."""

    @property
    def missing(self) -> str | None:
        """What it waits for, for who runs the gateway; None: nothing."""
        ...


@runtime_checkable
class OfFiles(Protocol):
    """A chain that is made of files in folders: when these change, the routes are read again."""

    @property
    def folders(self) -> tuple[Path, ...]: ...

    @property
    def unread(self) -> tuple[str, ...]:
        """What of them it does without, and why: a sentence for each, for who runs the gateway."""
        ...

    def reads(self, path: Path) -> bool:
        """Whether a change at ``path``, which may be gone, may change what it is made of."""
        ...


@runtime_checkable
class Drawing(Protocol):
    """A chain that may ask the model at another temperature than the request's."""

    def temperature(self, parameters: Mapping[str, Any]) -> float | None:
        """That of a request with ``parameters``; None: what the engine takes."""
        ...


class Chain(Protocol):
    """A way to turn a rendered conversation into a good answer; installed as one class, made once.

    An instance serves many runs at the same time and keeps nothing of any of them.
    """

    def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Answer ``request``. Closing the generator, or cancelling its task, stops the engine's work.

        Raises:
            ChainUnsupported: a parameter of the request that the chain can't honour, before any event.
            ChainError: for what else it can't do; see :mod:`chains.errors`.
            Exception: what the engine raises, as it is.
        """
        ...

    def warm(self, resources: Resources) -> None:
        """Pay now what the first run would: imports that take seconds, an index. Blocks.

        Called before the first run, and again on a new instance whenever the routes are read.

        Raises:
            ChainError: the chain can't be used as it is set up.
        """
        ...
