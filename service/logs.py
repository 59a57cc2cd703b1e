"""The log: one JSON object a line, to a stream or to a file that is turned over."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

import orjson

FILE = "gateway.log"
_BYTES = 10_000_000
KEPT = 3  # files that were full, beside the one that is written
_LOST_SECONDS = 60.0  # between two words on lines that are lost
_NOISY = ("torchao", "bitsandbytes")  # warn about what nobody here asked for


class LogFile(RotatingFileHandler):
    """Turned over when it is full, which is known without asking the disk for each line.

    Where the disk takes no line, stderr says so now and then, and nobody's request fails.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_BYTES, backupCount=KEPT, encoding="utf-8")
        self._told = -_LOST_SECONDS

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell of a line that is lost; logging's own way is a traceback for each."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif time.monotonic() - self._told >= _LOST_SECONDS:
            self._told = time.monotonic()
            print(f"{self.baseFilename}: lines are lost: {error.strerror}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the file, with whatever the disk does not take."""
        with suppress(OSError):
            super().close()

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file is full already; the line that fills it is still written to it."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


class JSONLines(logging.Formatter):
    """A record as a JSON object; its ``fields`` come beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= fields
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_to(target: TextIO | Path) -> logging.Handler:
    """Send what the gateway and its server log to ``target``: a stream, or the folder of a log file.

    Returns:
        the handler, to be given to :func:`stop_logging`.
    """
    handler: logging.Handler
    if isinstance(target, Path):
        target.mkdir(parents=True, exist_ok=True)
        handler = LogFile(target / FILE)
    else:
        handler = logging.StreamHandler(target)
    handler.setFormatter(JSONLines())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("pointsman").setLevel(logging.INFO)
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Undo :func:`log_to`."""
    logging.getLogger().removeHandler(handler)
    handler.close()
