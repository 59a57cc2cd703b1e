"""The log of decisions: one JSON object a line in ``<state>/decisions.jsonl``, turned over at 10 MB.

It holds a request's text only where the settings ask for that. ``pointsman router suggest`` reads it.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

import orjson

from router.decision import Decision

FILE = "decisions.jsonl"
_BYTES = 10_000_000
_KEPT = 3

Kind = Literal["off", "decisions", "texts"]


class _OwnFile(RotatingFileHandler):
    """Only this user may read it, because it can hold what clients said."""

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(file, "ab"), encoding=self.encoding)


class DecisionLog:
    """Writes decisions of one gateway; the file is opened with the first."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._folder = folder
        self._kind = kind
        self._file: _OwnFile | None = None

    def write(self, decision: Decision) -> None:
        """Add a line. A disk that is full is told on stderr by the handler, and fails no request."""
        if self._kind == "off":
            return
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / FILE
            self._file = _OwnFile(path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8")
        line: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "intent": decision.intent,
            "confidence": round(decision.confidence, 4),
            "threshold": round(decision.threshold, 4),
            "top": [[intent, round(confidence, 4)] for intent, confidence in decision.top],
            "rule": decision.rule.name if decision.rule is not None else None,
        }
        if self._kind == "texts":
            line["text"] = decision.text
        self._file.handle(logging.makeLogRecord({"msg": orjson.dumps(line).decode()}))

    def close(self) -> None:
        """Close the file; a later :meth:`write` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def logged_texts(folder: Path) -> tuple[Counter[str], int]:
    """How often each text was decided on by the model, newest first, and the number of decisions."""
    texts: Counter[str] = Counter()
    decisions = 0
    for line in _lines(folder):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:  # cut off when the machine went down
            continue
        decisions += 1
        if found.get("text") and found.get("rule") is None:
            texts[found["text"]] += 1
    return texts, decisions


def _lines(folder: Path) -> Iterator[bytes]:
    for suffix in ("", *(f".{n}" for n in range(1, _KEPT + 1))):
        path = folder / f"{FILE}{suffix}"
        if path.is_file():
            yield from reversed(path.read_bytes().splitlines())
