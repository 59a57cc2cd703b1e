"""What handlers take from a request: the gateway, the record, the caller's right to ask, and the body."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, TypeVar, cast

import orjson
from fastapi import Depends
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.admission.ticket import Priority
from service.api.middleware import record_of
from service.body.problems import sentences_on
from service.dispatch import CHAIN
from service.errors import InvalidRequest, NotJSON
from service.gateway import Gateway
from service.record import Record

M = TypeVar("M", bound=BaseModel)

_WHOLE = (  # fields that are whole numbers; JSON has one kind of number
    *("n", "best_of", "seed", "logprobs", "top_logprobs", "dimensions"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens"),
)
_IDS = ("prompt", "tokens")  # lists of whole numbers, or of others
TRACE = "x-pointsman-trace"
PRIORITY = "x-pointsman-priority"
_SWITCH = {"1": True, "true": True, "0": False, "false": False, "": False}
_LARGEST = 2.0**63
_DEEPEST = 100  # levels of a body; a JSON schema of a tool has a dozen


def gateway_of(request: Request) -> Gateway:
    """The gateway that this application runs."""
    gateway: Gateway = request.app.state.gateway
    return gateway


async def _gateway(request: Request) -> Gateway:
    return gateway_of(request)


async def _record(request: Request) -> Record:
    return record_of(request.scope)


Running = Annotated[Gateway, Depends(_gateway)]
Recorded = Annotated[Record, Depends(_record)]


async def client_only(request: Request) -> None:
    """Let in who has a client's key and asks no more often than allowed; note who it is and how urgent.

    Raises:
        Unauthorized, TooManyRequests
        InvalidRequest: an unknown priority, or several.
    """
    gateway = gateway_of(request)
    key = gateway.keys.client(request.headers.get("authorization"))
    address = request.client.host if request.client else "unknown"
    record = record_of(request.scope)
    record.caller = key or address
    record.priority = _priority(_once(request, PRIORITY, "name one") or "interactive")
    gateway.rate.take(record.caller)


def _priority(given: str) -> Priority:
    if given not in ("interactive", "batch"):
        raise InvalidRequest(f"{PRIORITY} must be interactive or batch, found {given[:40]!r}")
    return cast(Priority, given)


def traced(request: Request) -> bool:
    """Whether the answer is to show what its chain did.

    Raises:
        InvalidRequest: the header is neither on nor off, or there are several.
    """
    value = _once(request, TRACE, "name it once") or ""
    if (known := _SWITCH.get(value.strip().lower())) is None:
        raise InvalidRequest(f"{TRACE} must be 1 or true, 0 or false, found {value[:40]!r}", TRACE)
    return known


def chain_of(request: Request) -> str | None:
    """The chain that the request names; None: it names none.

    Raises:
        InvalidRequest: it names several.
    """
    return _once(request, CHAIN, "name one chain")


def _once(request: Request, header: str, fix: str) -> str | None:
    """The value of ``header``, which may be there once; None: it is not."""
    given = request.headers.getlist(header)
    if len(given) > 1:
        raise InvalidRequest(f"{header} is given {len(given)} times: {fix}", header)
    return given[0] if given else None


async def admin_only(request: Request) -> None:
    """Let in who has the admin key.

    Raises:
        Unauthorized, Forbidden
    """
    gateway_of(request).keys.admin(request.headers.get("authorization"))


async def json_object(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object in UTF-8.

    Raises:
        NotJSON: it is not, is compressed, or is nested deeper than anything that an engine is sent.
        BodyTooLarge: it is over the limit.
        InvalidRequest: a whole number is larger than anything that reads it takes.
    """
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise NotJSON(f"the body has the content-encoding {encoding[:40]!r}: send it as plain JSON")
    data = await request.body()
    if not data:
        raise NotJSON("the body is empty; a JSON object is needed")
    try:
        found = orjson.loads(data.removeprefix(codecs.BOM_UTF8))  # .NET's writers begin with it
    except orjson.JSONDecodeError as exc:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as wrong:
            raise NotJSON(f"the body is not UTF-8: {wrong.reason} at byte {wrong.start}") from exc
        raise NotJSON(f"the body is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise NotJSON("the body must be a JSON object")
    if data.count(b"{") + data.count(b"[") > _DEEPEST and _is_deeper(found, _DEEPEST):
        raise NotJSON(f"the body is nested deeper than {_DEEPEST} levels")
    _read_whole_numbers(found)
    return found


def _read_whole_numbers(body: dict[str, Any]) -> None:
    """Make 2.0 a 2, and refuse what no reader of a whole number takes.

    Raises:
        InvalidRequest
    """
    for name in _WHOLE:
        value = body.get(name)
        if isinstance(value, bool) and name != "logprobs":  # which a chat request has as true or false
            raise InvalidRequest(f"{name} must be a whole number, found {str(value).lower()}", name)
        is_least = name == "seed" and type(value) is int and value == -_LARGEST  # which has 64 bits still
        if isinstance(value, int | float) and abs(value) >= _LARGEST and not is_least:
            raise InvalidRequest(f"{name} must be a whole number of 64 bits, found {value:.15g}", name)
        if isinstance(value, float) and value.is_integer():
            body[name] = int(value)
    for name in _IDS:
        if isinstance(tokens := body.get(name), list):
            body[name] = [_whole(one) for one in tokens]


def _whole(token: Any) -> Any:
    """A token id, or a list of them, as whole numbers where they are some."""
    if isinstance(token, list):
        return [_whole(one) for one in token]
    return int(token) if isinstance(token, float) and token.is_integer() else token


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether there are objects or lists in ``value`` below so many levels of them."""
    level = [value]
    for _ in range(levels):
        inside = (child for each in level for child in (each.values() if isinstance(each, dict) else each))
        level = [child for child in inside if isinstance(child, dict | list)]
    return bool(level)


async def document(request: Request, model: type[M]) -> M:
    """The body as ``model``.

    Raises:
        InvalidRequest: with everything that is wrong.
    """
    data = await json_object(request)
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        told = sentences_on(exc, model)
        raise InvalidRequest("; ".join(told.values()), next(iter(told)) or None) from exc
