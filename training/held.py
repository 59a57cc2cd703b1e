"""What one process at a time may use: a file of its own, or a folder, locked as long as it is held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, busy: Exception) -> Iterator[None]:
    """Within it ``path`` is this process's alone; a file that is not there is made.

    The lock goes with the process, however that ends.

    Raises:
        busy: another process holds it.
    """
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
    finally:
        os.close(handle)
