"""Every error that the chains raise.

ChainError
├── ChainNotFound       no chain of that name is installed
├── ChainBroken         what is installed under its name is no chain that can be used, or is there twice
├── ChainUnfinished     it ended without its last event
├── ChainOptionsError   a chain's options are not such as it takes; says all that is wrong
├── ChainUnsupported    the chain can't honour a parameter of the request; names it
├── ParameterInvalid    a parameter's value can't be used; names both
├── EngineAnswerError   the engine's answer is an error, or is not what its API promises
├── AnswerInvalid       the model's answer does not fit the schema that it was asked for
├── DocumentsUnreadable a document that answers are to be made from can't be read
├── ChainTimeout        the run took longer than its limit
├── ToolNotFound        no tool of that name is installed
├── ToolDefinitionError a function can't be described as a tool, or two tools have one name
└── ToolSourceError     a server of tools does not have what a route wants of it
    └── ToolServerDown  it can't be reached now, and is asked again

Raised by an engine, and base of its owner's own error:

Refused                 the engine understood the request and will not serve it as it is
└── ContextFull         its prompt has more tokens than the model reads

Raised inside a chain and never let out of it:

ToolFailure             by a tool: what the model is told
├── ArgumentsWrong      its arguments do not fit
├── ToolErred           it says itself that it failed, in words that the user may read
└── ToolOutOfOrder      its server is, and another call may find it well
Unanswered              a run ends without an answer of the model, and the chain says why
├── ToolGivenUp         tools failed and there is no result to answer from
├── ResultsTooLong      what tools answered does not fit the model, however much is cut
└── StepsExhausted      the model would need one call more than it has
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


class ChainError(Exception):
    """Base of the tree; ``str(error)`` is fit for a client to see, but that of ChainBroken."""


class ChainNotFound(ChainError):
    """No entry point of ``pointsman.chains`` has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no chain {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        self.name = name


class ChainBroken(ChainError):
    """What an entry point of ``pointsman.chains`` names can't be used; its package has to be mended.

    For who runs it: ``str(error)`` may hold whatever an error of that package says.
    """

    def __init__(self, name: str, value: str, problem: str) -> None:
        super().__init__(f"the chain {name!r}, installed as {value!r}, can't be used: {problem}")
        self.name = name


class ChainUnfinished(ChainError):
    """The chain's last event was no Finish, so nobody knows whether the answer is whole."""

    def __init__(self) -> None:
        super().__init__("the chain ended without a Finish, which must be its last event")


class ChainOptionsError(ChainError):
    """The chain can't be made with these options; ``places`` holds where and what, for each."""

    def __init__(self, chain: str, problems: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        found = "; ".join(": ".join([*map(str, place), message]) for place, message in problems)
        super().__init__(f"the options of the chain {chain!r} can't be used: {found}")
        self.places = tuple(problems)


class ChainUnsupported(ChainError):
    """The chain can't honour ``parameter``; ``fix`` is what the client can do instead."""

    def __init__(self, chain: str, parameter: str, value: object = None, fix: str = "leave it out") -> None:
        found = f" = {value!r}" if isinstance(value, int | float | str) else ""
        super().__init__(f"the chain {chain!r} does not support the parameter {parameter!r}{found}: {fix}")
        self.parameter = parameter


class ParameterInvalid(ChainError):
    """The value of ``parameter`` can't be used; ``problem`` says what is wrong with it."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter


class EngineAnswerError(ChainError):
    """The engine answered with an error event, or with something that is not its API's form."""


class AnswerInvalid(ChainError):
    """The answer is not JSON that fits the schema, and nothing of it was given out."""

    def __init__(self, problem: str, tries: int) -> None:
        times = "once" if tries == 1 else f"{tries} times"
        super().__init__(f"the model was asked {times} and its answer does not fit the schema: {problem}")


class DocumentsUnreadable(ChainError):
    """A file of a folder of documents can't be read; names it."""


class ChainTimeout(ChainError):
    """The run went over its limit; ``seconds`` is the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


class ToolNotFound(ChainError):
    """No entry point of ``pointsman.tools`` has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no tool {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        self.name = name


class ToolDefinitionError(ChainError):
    """A function has no docstring, an untyped argument or one that can't be given by name."""


class ToolSourceError(ChainError):
    """A server of tools does not have what is wanted; names it."""


class ToolServerDown(ToolSourceError):
    """A server of tools can't be reached; ``retry_after`` is in how many seconds it is asked again."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(Exception):
    """The engine refuses the request as it is; a chain may ask in another way, or let it through.

    ``instead`` is told behind it: what the client may do, or what the chain did in vain.
    """

    instead: str = ""


class ContextFull(Refused):
    """The prompt alone has more tokens than the model reads; ``limit`` is how many those are, if told."""

    limit: int | None = None


class ToolFailure(Exception):
    """A tool could not do what it was asked; ``str(error)`` is what the model is told."""


class ArgumentsWrong(ToolFailure):
    """What the model gave does not fit the tool; says what is wrong with it."""


class ToolErred(ToolFailure):
    """A tool says that it failed, and not whether another call may do better.

    It may be as much as that there is no such parcel, so ``str(error)`` is for the user too.
    """


class ToolOutOfOrder(ToolFailure):
    """The server of a tool failed; ``detail`` is for who runs the gateway, and the model is not told it."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


class Unanswered(Exception):
    """Base of what ends a run where the chain says itself what could not be done."""


class ToolGivenUp(Unanswered):
    """The tools ``names`` failed, ``twice`` where each of them did in two turns or more.

    ``said`` has the words of those that said why.
    """

    def __init__(self, names: Sequence[str], *, twice: bool, said: Mapping[str, str] | None = None) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)
        self.twice = twice
        self.said = dict(said or {})


class ResultsTooLong(Unanswered):
    """What the tools ``names`` answered does not fit the model's context beside the conversation."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


class StepsExhausted(Unanswered):
    """The bound on calls of the model is reached and the answer does not stand."""
