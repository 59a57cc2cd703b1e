"""What is known of one request: filled in on its way, then a log line, metrics and response headers.

Never holds the text of a request or of an answer.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass, field

from service.admission.ticket import Priority

log = logging.getLogger("pointsman.requests")

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(slots=True)
class Record:
    """One request; seconds count from its arrival."""

    id: str
    method: str
    path: str
    caller: str = ""  # digest of the key, or the address; for fair shares, never logged
    priority: Priority = "interactive"
    began: float = field(default_factory=time.perf_counter)
    intent: str | None = None
    confidence: float | None = None
    abstained: bool | None = None
    chain: str | None = None
    adapter: str | None = None  # alias@version, or the base's name
    streamed: bool = False
    status: int = 0  # 499: the client went away before it was known
    error: str | None = None  # code of the error, also of one that ended a stream
    first_byte: float | None = None
    seconds: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the arrival."""
        return time.perf_counter() - self.began

    def count(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """Note what the answer cost."""
        self.prompt_tokens, self.completion_tokens = prompt_tokens, completion_tokens

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response headers that say what was decided; ``-`` where no intent was asked for."""
        found = [(b"x-request-id", self.id.encode())]
        if self.chain is not None:
            confidence = "-" if self.confidence is None else f"{self.confidence:.4f}"
            found += [
                (b"x-pointsman-intent", (self.intent or "-").encode()),
                (b"x-pointsman-confidence", confidence.encode()),
                (b"x-pointsman-chain", self.chain.encode()),
            ]
        if self.adapter is not None:
            found.append((b"x-pointsman-adapter", self.adapter.encode()))
        return found

    def line(self) -> dict[str, object]:
        """The log line's fields."""
        return {
            "request": self.id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "intent": self.intent,
            "confidence": self.confidence and round(self.confidence, 4),
            "chain": self.chain,
            "adapter": self.adapter,
            "stream": self.streamed,
            "ttft_ms": _milliseconds(self.first_byte),
            "duration_ms": _milliseconds(self.seconds),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "error": self.error,
        }

    def write(self) -> None:
        """Log the line."""
        log.info("request", extra={"fields": self.line()})


def request_id(proposed: str | None) -> str:
    """The client's own id if it is sane (128 characters of a small alphabet), else a new one."""
    if proposed is not None and _SANE_ID.fullmatch(proposed):
        return proposed
    return secrets.token_hex(12)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
