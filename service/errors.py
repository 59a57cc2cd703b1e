"""Every error that the service raises. ``service.api.errors`` maps each to a status and OpenAI's body.

ServiceError
├── RequestError                  the client's fault; 4xx
│   ├── NotJSON                   400
│   ├── InvalidRequest            400, names the parameter
│   │   └── UnknownField          400, a field that the endpoint does not know
│   ├── Unauthorized              401
│   ├── Forbidden                 403
│   ├── ModelNotFound             404
│   ├── AnswerNotFound            404
│   ├── BodyTimeout               408
│   ├── BodyTooLarge              413
│   └── TooManyRequests           429, with Retry-After
├── NotReady                      503, with Retry-After: what the request needs isn't there yet
├── Stopping                      503, with Retry-After: the gateway ends before the answer does
├── EngineError
│   ├── EngineUnavailable         503, with Retry-After
│   └── EngineRefused             400 for the engine's own 4xx, 502 where it stumbled over the request
│       └── ContextExceeded       400, the prompt has more tokens than the model's context
├── ConfigurationRejected         settings and their routes can't be used: every problem; before any request
├── RoutesRejected                422, routes, prompts or examples that can't be used: every problem
└── AdapterError
    ├── AdapterRejected           422, a check or the probe failed: file, value, fix
    ├── AdapterNotFound           404
    ├── AdapterConflict           409, the state of the version forbids it
    ├── RegistryUnavailable       503, the registry's database failed
    └── StoreUnavailable          503, the disk takes no copy of an artefact: full, or read-only
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import ContextFull, Refused


class ServiceError(Exception):
    """Base of the tree; ``str(error)`` is the message that the client sees."""


class RequestError(ServiceError):
    """The request can't be served as it is; ``parameter`` names the field at fault, if one is."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class NotJSON(RequestError):
    """The body is not a JSON object in UTF-8."""


class InvalidRequest(RequestError):
    """A field of the body has a value that can't be served."""


class UnknownField(InvalidRequest):
    """A field of the body that would be ignored."""


class Unauthorized(RequestError):
    """No key, or one that is not known."""


class Forbidden(RequestError):
    """A known key that may not do this."""


class ModelNotFound(RequestError):
    """``model`` names nothing that is served."""


class BodyTimeout(RequestError):
    """The body did not come in time."""


class AnswerNotFound(RequestError):
    """There is no such answer to be rated."""


class BodyTooLarge(RequestError):
    """The body is over the limit in bytes."""


class TooManyRequests(RequestError):
    """The queue is full; ``retry_after`` in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReady(ServiceError):
    """The router is not fitted yet, or the adapter of a route has no live version."""

    retry_after = 5  # seconds


class Stopping(ServiceError):
    """The gateway was told to stop, and waited for this answer as long as it waits."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__("the gateway is stopping, and this answer was cut; ask again")


class EngineError(ServiceError):
    """Something between the gateway and vLLM."""


class EngineUnavailable(EngineError):
    """The engine is starting, restarting or gone; ``retry_after`` in seconds."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineRefused(EngineError, Refused):
    """The engine answered this request with an error of its own; ``parameter`` names the field at fault.

    Where it names places in ``messages``, they are those of the messages that the engine was sent.
    """

    def __init__(
        self,
        status: int,
        message: str,
        parameter: str | None = None,
        messages: Sequence[Mapping[str, Any]] = (),
        instead: str = "",
    ) -> None:
        super().__init__(message)
        self.instead = instead
        self.status = status
        self.parameter = parameter
        self.messages = messages


class ContextExceeded(EngineRefused, ContextFull):
    """The prompt alone has more tokens than the model reads; ``limit`` is how many those are, if told."""


class ConfigurationRejected(ServiceError):
    """Settings, or the routes and prompts that they name, can't be used; ``problems`` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        super().__init__("\n".join([count, *(f"  {problem}" for problem in problems)]))
        self.problems = problems


class RoutesRejected(ServiceError):
    """Routes, prompts or examples can't be used; ``problems`` names file, line and field of each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class AdapterError(ServiceError):
    """Something about an adapter version."""


class AdapterRejected(AdapterError):
    """One or more checks failed; ``problems`` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class AdapterNotFound(AdapterError):
    """No such alias or version."""


class AdapterConflict(AdapterError):
    """The version's state does not allow this."""


class RegistryUnavailable(AdapterError):
    """The registry's database could not be read or written; nothing was changed."""


class StoreUnavailable(AdapterError):
    """The disk that holds the copies of artefacts is full or read-only; says what to do."""
