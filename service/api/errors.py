"""The one table from exceptions to OpenAI's error body and an HTTP status.

Every error of service, chains, prompts and router has a row; what has none is our fault: a 500 whose cause
stands in the log under the request's id and nowhere else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException

from chains import errors as chains
from pointsman.document import DocumentError
from prompts import errors as prompts
from router import errors as router
from service import errors as service

log = logging.getLogger("pointsman.errors")

INVALID = "invalid_request_error"
SERVER = "server_error"


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of errors is told."""

    status: int
    type: str
    code: str


_CONFIGURATION = Row(500, SERVER, "configuration_error")
_TOO_LONG = Row(400, INVALID, "context_length_exceeded")  # OpenAI's code, whoever finds it
_UNAVAILABLE = Row(503, SERVER, "service_unavailable")

TABLE: dict[type[Exception], Row] = {
    service.ServiceError: Row(500, SERVER, "internal_error"),
    service.RequestError: Row(400, INVALID, "invalid_request"),
    service.NotJSON: Row(400, INVALID, "invalid_json"),
    service.InvalidRequest: Row(400, INVALID, "invalid_value"),
    service.UnknownField: Row(400, INVALID, "unknown_parameter"),
    service.Unauthorized: Row(401, "authentication_error", "invalid_api_key"),
    service.Forbidden: Row(403, "permission_error", "forbidden"),
    service.ModelNotFound: Row(404, INVALID, "model_not_found"),
    service.BodyTimeout: Row(408, INVALID, "request_timeout"),
    service.AnswerNotFound: Row(404, INVALID, "answer_not_found"),
    service.BodyTooLarge: Row(413, INVALID, "request_too_large"),
    service.TooManyRequests: Row(429, "rate_limit_error", "rate_limit_exceeded"),
    service.NotReady: _UNAVAILABLE,
    service.Stopping: _UNAVAILABLE,
    service.EngineError: Row(502, SERVER, "engine_error"),
    service.EngineUnavailable: Row(503, SERVER, "engine_unavailable"),
    service.EngineRefused: Row(400, INVALID, "engine_refused"),
    service.ContextExceeded: _TOO_LONG,
    service.ConfigurationRejected: _CONFIGURATION,
    service.RoutesRejected: Row(422, INVALID, "routes_rejected"),
    service.AdapterError: Row(400, INVALID, "adapter_error"),
    service.AdapterRejected: Row(422, INVALID, "adapter_rejected"),
    service.AdapterNotFound: Row(404, INVALID, "adapter_not_found"),
    service.AdapterConflict: Row(409, INVALID, "adapter_conflict"),
    service.RegistryUnavailable: Row(503, SERVER, "registry_unavailable"),
    service.StoreUnavailable: Row(503, SERVER, "store_unavailable"),
    chains.ChainError: Row(500, SERVER, "chain_error"),
    chains.ChainNotFound: _CONFIGURATION,
    chains.ChainBroken: _CONFIGURATION,
    chains.ChainUnfinished: Row(500, SERVER, "chain_error"),
    chains.ChainOptionsError: _CONFIGURATION,
    chains.ChainUnsupported: Row(400, INVALID, "unsupported_parameter"),
    chains.ParameterInvalid: Row(400, INVALID, "invalid_value"),
    chains.EngineAnswerError: Row(502, SERVER, "engine_error"),
    chains.AnswerInvalid: Row(502, SERVER, "invalid_answer"),
    chains.DocumentsUnreadable: _CONFIGURATION,
    chains.ChainTimeout: Row(504, SERVER, "timeout"),
    chains.ToolNotFound: _CONFIGURATION,
    chains.ToolDefinitionError: _CONFIGURATION,
    chains.ToolSourceError: _CONFIGURATION,
    chains.ToolServerDown: _UNAVAILABLE,
    prompts.PromptError: _CONFIGURATION,
    prompts.PromptNotFound: _CONFIGURATION,
    prompts.RenderError: _CONFIGURATION,
    prompts.MissingVariables: _CONFIGURATION,
    prompts.UnknownVariables: _CONFIGURATION,
    prompts.PromptTooLong: _TOO_LONG,
    prompts.InvalidMessage: Row(400, INVALID, "invalid_message"),
    DocumentError: Row(422, INVALID, "invalid_document"),
    prompts.LibraryError: Row(422, INVALID, "invalid_document"),
    router.RouterError: _CONFIGURATION,
    router.ExamplesError: _CONFIGURATION,
    router.PatternError: _CONFIGURATION,
    router.EncoderError: _CONFIGURATION,
    router.ArtefactError: _CONFIGURATION,
    router.ArtefactUnreadable: _CONFIGURATION,
    router.ArtefactMismatch: _CONFIGURATION,
    router.RowsError: _CONFIGURATION,
    router.RouterClosed: _UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An error as the client gets it."""

    status: int
    code: str
    body: bytes  # {"error": {...}}
    headers: tuple[tuple[bytes, bytes], ...] = ()


def tell(error: Exception, request_id: str) -> Told:
    """What the client hears of ``error``; logs what it must not hear."""
    if isinstance(error, HTTPException):  # starlette's own: no such path, no such method
        return _told_http(error)
    if isinstance(error, service.EngineRefused):
        return _told_refusal(error, request_id)
    row = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    if row is None:
        log.error("request %s failed", request_id, exc_info=error)
        message = f"something went wrong in the gateway; its log says what, under the request {request_id}"
        return Told(500, "internal_error", error_body(message, SERVER, "internal_error"))
    if isinstance(error, chains.ChainBroken):  # its text is that of somebody's package
        log.error("request %s: %s", request_id, error)
        message = f"the chain {error.name!r} can't be used; the log says why, under the request {request_id}"
        return Told(row.status, row.code, error_body(message, row.type, row.code))
    if row.status >= 500:
        log.warning("request %s: %s: %s", request_id, type(error).__name__, error)
    parameter = getattr(error, "parameter", None)
    body = error_body(str(error), row.type, row.code, parameter, getattr(error, "problems", None))
    return Told(row.status, row.code, body, _headers(error, row.status))


def error_body(
    message: str, kind: str, code: str | None, parameter: str | None = None, problems: Any = None
) -> bytes:
    """OpenAI's error object; ``problems`` beside it where there is more than one thing to say."""
    error: dict[str, Any] = {"message": message, "type": kind, "param": parameter, "code": code}
    if isinstance(problems, list | tuple) and all(isinstance(problem, str) for problem in problems):
        error["problems"] = list(problems)
    return orjson.dumps({"error": error}, default=str)


def _told_refusal(error: service.EngineRefused, request_id: str) -> Told:
    """The engine's 4xx is the client's fault and told in the engine's words; all else is not."""
    if 400 <= error.status < 500:
        row = TABLE[type(error)]
        message = f"{error}{error.instead}"
        return Told(row.status, row.code, error_body(message, row.type, row.code, error.parameter))
    log.error("request %s: the engine answered %d: %s", request_id, error.status, error)
    message = (
        "the engine failed on this request and works on others: ask without its rarer options; the log "
        f"says more under the request {request_id}"
    )
    return Told(502, "engine_error", error_body(message, SERVER, "engine_error"))


def _told_http(error: HTTPException) -> Told:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    headers = tuple((k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items())
    return Told(error.status_code, code, error_body(str(error.detail), INVALID, code), headers)


def _headers(error: Exception, status: int) -> tuple[tuple[bytes, bytes], ...]:
    headers: list[tuple[bytes, bytes]] = []
    retry_after = getattr(error, "retry_after", None)
    if isinstance(retry_after, int):
        headers.append((b"retry-after", str(retry_after).encode()))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return tuple(headers)
