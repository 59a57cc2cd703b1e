"""A gateway that answers with what a test gave it, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OLD = "0" * 12
ALIAS = "/admin/adapters/support"
Reply = Mapping[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Canned:
    """Answers by ``"METHOD /path"``; the status is that of an error in OpenAI's form, ``_status``, or 200."""

    answers: Mapping[str, Reply]
    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # of every answer
    broken: bool = False  # whether it closes connections without a word


@contextmanager
def canned(answers: Mapping[str, Reply]) -> Iterator[Canned]:
    """Runs one on a free port of loopback."""
    gateway = Canned(answers)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            name = f"{self.command} {self.path}"
            length = int(self.headers.get("content-length") or 0)
            data = self.rfile.read(length)
            body = {} if self.command == "PUT" else json.loads(data or b"{}")
            gateway.asked.append((name, body))
            gateway.keys.append(self.headers.get("authorization"))
            answer = gateway.answers.get(name, {"error": {"message": f"nothing at {name}", "code": 404}})
            if callable(answer):
                answer = answer(body)
            if gateway.broken:
                self.close_connection = True
                return
            data = json.dumps(answer).encode()
            self.send_response(answer.get("_status", answer["error"]["code"] if "error" in answer else 200))
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            for key, value in gateway.headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def version(digits: str, **changes: Any) -> dict[str, Any]:
    """A version of the alias as the gateway shows it."""
    return {
        "alias": "support",
        "version": digits,
        "name": f"support@{digits}",
        "state": "loaded",
        "weight": 0,
        "canary": False,
        "live_since": None,
        "created": "2026-11-25T10:00:00Z",
        **changes,
    }


LIVE = version(OLD, state="live", weight=100, live_since="2026-11-24T22:01:00Z")
