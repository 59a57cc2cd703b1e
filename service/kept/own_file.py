"""A log that only this user may read, because it can hold what clients said; turned over at 10 MB."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

import orjson

from service.logs import KEPT, LogFile


class _Handler(LogFile):
    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(file, "ab"), encoding=self.encoding)


class OwnFile:
    """JSON objects, one a line; the file is opened with the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handler: _Handler | None = None

    def write(self, line: object) -> None:
        """Add a line. A disk that takes none fails no request."""
        if self._handler is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = _Handler(self._path)
        self._handler.handle(logging.makeLogRecord({"msg": orjson.dumps(line).decode()}))

    def close(self) -> None:
        """Close the file; a later :meth:`write` opens it again."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None


def lines_of(path: Path) -> Iterator[dict[str, object]]:
    """The objects that were written, the newest first; one that was cut off is left out."""
    for suffix in ("", *(f".{n}" for n in range(1, KEPT + 1))):
        part = path.with_name(path.name + suffix)
        for line in reversed(part.read_bytes().splitlines()) if part.is_file() else ():
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError:  # cut off when the machine went down
                continue
            if isinstance(found, dict):
                yield found
