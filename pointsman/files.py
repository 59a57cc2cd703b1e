"""A file gets new content in one step: who reads it meanwhile has the old content or the new, whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of what ``path`` holds, if it is there; its folder must be."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
