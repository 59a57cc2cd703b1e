"""The running gateway as a command sees it: one call, one answer, errors in one line.

GatewayError
├── NotRunning          nothing answers at the address
├── NoAdminKey          the admin key is in none of the places where it is looked for
└── Refused             the gateway's own error; ``status`` is HTTP's
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from pointsman.document import DocumentError
from service.keys import ADMIN_KEY_FILE
from service.settings import Settings

SECONDS = 300.0  # a promotion loads and probes before it answers


class GatewayError(Exception):
    """What went wrong with a call, in a sentence for the terminal."""


class NotRunning(GatewayError):
    """Nothing answers."""


class NoAdminKey(GatewayError):
    """No admin key was found."""


class Refused(GatewayError):
    """The gateway answered with an error."""

    def __init__(self, status: int, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.problems = list(problems) or [message]


def call(
    url: str,
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: Mapping[str, Any] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The JSON that the gateway at ``url`` answers; a body of bytes is sent as it is.

    Raises:
        NotRunning: nothing answers there.
        Refused: it answers with an error, or with something that is not JSON.
    """
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    ours = {"authorization": f"Bearer {key}"} if key else {}
    response = _send(url, method, path, headers={**ours, **(headers or {})}, **sent)
    try:
        answer = response.json()
    except ValueError:
        raise Refused(
            response.status_code, f"{url} answers, but not as Pointsman: is the URL right?"
        ) from None
    if response.is_error:
        raise Refused(response.status_code, _message(answer, response.status_code), _problems(answer))
    return answer


def _send(url: str, method: str, path: str, **sent: Any) -> httpx.Response:
    """The answer to a request; ``sent`` is httpx's."""
    try:
        return httpx.request(method, url.rstrip("/") + path, timeout=SECONDS, trust_env=False, **sent)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
        raise NotRunning(f"{url!r} is no address of a gateway: {exc}") from exc
    except httpx.TimeoutException as exc:
        raise NotRunning(f"{url} did not answer within {SECONDS:.0f} s") from exc
    except httpx.HTTPError as exc:
        raise NotRunning(f"nothing answers at {url} ({exc}): is the gateway running? make up") from exc


def admin_key(file: Path | None, config: Path) -> str:
    """The admin key: of ``file``, else POINTSMAN_ADMIN_KEY, else of the state folder that ``config`` names.

    Raises:
        NoAdminKey: it is in none of them.
    """
    if file is None:
        if key := os.environ.get("POINTSMAN_ADMIN_KEY", "").strip():
            return key
        try:
            file = Settings.load(config).state / ADMIN_KEY_FILE
        except DocumentError as exc:
            raise NoAdminKey(f"no admin key is given, and the settings can't be read: {exc}") from exc
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise NoAdminKey(
            f"no admin key in {file} ({getattr(exc, 'strerror', None) or exc}): the gateway writes it at its "
            "first start; else give --admin-key-file or POINTSMAN_ADMIN_KEY"
        ) from exc


def text(url: str, path: str) -> str:
    """The text that the gateway at ``url`` answers, such as its ``/metrics``.

    Raises:
        NotRunning, Refused
    """
    response = _send(url, "GET", path)
    if response.is_error:
        raise Refused(response.status_code, f"{url}{path}: status {response.status_code}")
    return response.text


def _problems(answer: Any) -> list[str]:
    error = answer.get("error") if isinstance(answer, dict) else None
    found = error.get("problems") if isinstance(error, dict) else None
    return list(map(str, found)) if isinstance(found, list) else []


def _message(answer: Any, status: int) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return str(error["message"])
    if isinstance(answer, dict) and answer.get("reasons"):  # of /ready
        return f"the gateway is not ready: {'; '.join(map(str, answer['reasons']))}"
    return f"status {status}: {json.dumps(answer, ensure_ascii=False)[:500]}"
