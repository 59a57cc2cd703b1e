"""Who may ask: client keys and the admin key, known only by their SHA-256; and how often one may.

Comparisons take the same time for every key. The admin key is made at the first start and kept in a file
that only its owner can read.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from service.errors import Forbidden, TooManyRequests, Unauthorized

ADMIN_KEY_FILE = "admin.key"
_SWEEP = 10_000  # callers remembered before those who are quiet are forgotten


def digest(key: str) -> str:
    """The form in which a key stands in the settings: SHA-256 in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def admin_digest(state: Path, configured: str | None) -> str:
    """The digest of the admin key: the configured one, or of the key in ``state``, made if it isn't there."""
    if configured is not None:
        return configured
    path = state / ADMIN_KEY_FILE
    state.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return digest(path.read_text(encoding="utf-8").strip())
    key = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key + "\n")
    return digest(key)


class Keys:
    """The known keys. No client keys means that every client is let in."""

    def __init__(self, clients: Iterable[str], admin: str) -> None:
        self._clients = tuple(clients)
        self._admin = admin

    def client(self, authorization: str | None) -> str | None:
        """The digest of the client's key; None where no key is asked for.

        Raises:
            Unauthorized: no key, or an unknown one.
        """
        if not self._clients:
            return None
        presented = _presented(authorization)
        if not _among(presented, self._clients):
            raise Unauthorized("the API key is not known")
        return presented

    def admin(self, authorization: str | None) -> None:
        """Let the admin key pass.

        Raises:
            Unauthorized: no key, or an unknown one.
            Forbidden: the key of a client.
        """
        presented = _presented(authorization)
        if hmac.compare_digest(presented, self._admin):
            return
        if _among(presented, self._clients):
            raise Forbidden("this needs the admin key; a client's key may not do it")
        raise Unauthorized("the admin key is not known")


class RateLimit:
    """So many requests a minute for each caller, with a burst of as many."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[float, float]] = {}  # caller → (tokens, when)

    def take(self, caller: str) -> None:
        """Count one request of ``caller``.

        Raises:
            TooManyRequests: with the seconds until the next is let in.
        """
        if not self._per_minute:
            return
        now, rate = time.monotonic(), self._per_minute / 60
        tokens, when = self._buckets.get(caller, (float(self._per_minute), now))
        tokens = min(float(self._per_minute), tokens + (now - when) * rate)
        if tokens < 1:
            wait = math.ceil((1 - tokens) / rate)
            raise TooManyRequests(f"over {self._per_minute} requests a minute; try again in {wait} s", wait)
        self._buckets[caller] = (tokens - 1, now)
        if len(self._buckets) > _SWEEP:
            self._buckets = {c: b for c, b in self._buckets.items() if now - b[1] < 60}


def _presented(authorization: str | None) -> str:
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("a key is needed: Authorization: Bearer <key>")
    return digest(key.strip())


def _among(presented: str, known: Iterable[str]) -> bool:
    matches = [hmac.compare_digest(presented, one) for one in known]
    return any(matches)
