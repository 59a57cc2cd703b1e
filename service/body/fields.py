"""The fields of a body that say who is asked, and how the answer comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.body.kinds import SWITCH, check_kind
from service.body.known import STREAM_OPTIONS
from service.errors import InvalidRequest


def model_of(body: Mapping[str, Any]) -> str:
    """The name that the client gives.

    Raises:
        InvalidRequest: none, or not text.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        found = f"must be one name, not {type(model).__name__}" if model else "is required"
        raise InvalidRequest(
            f"model {found}: 'auto', an adapter, adapter@version, or the base; GET /v1/models lists them",
            "model",
        )
    return model


def stream_of(body: Mapping[str, Any]) -> bool:
    """Whether the answer is to be streamed.

    Raises:
        InvalidRequest: ``stream`` is no boolean, ``stream_options`` stands without it, or holds
            what is not known.
    """
    stream, options = body.get("stream"), body.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequest("stream must be true or false", "stream")
    if options is not None and not isinstance(options, dict):
        raise InvalidRequest("stream_options must be an object", "stream_options")
    check_stream_options(options or {})
    if options is not None and not stream:
        raise InvalidRequest("stream_options is only allowed where stream is true", "stream_options")
    return bool(stream)


def check_stream_options(options: Mapping[str, Any]) -> None:
    """``stream_options``, all of which are switches.

    Raises:
        InvalidRequest
    """
    STREAM_OPTIONS.check(options, "stream_options")
    for name, value in options.items():
        check_kind(f"stream_options.{name}", value, SWITCH)
