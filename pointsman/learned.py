"""Which texts an encoder was tuned on: training writes it beside the encoder, the router asks.

An encoder puts texts that it has learned nearer to their intent than any new text will come. So what a router
makes of them says nothing of how sure it may be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

FILE = "learned.json"
_DIGITS = 16  # of each text's SHA-256, in hex


def write(folder: Path, texts: Iterable[str]) -> None:
    """Note in ``folder`` that its encoder has learned ``texts``; their hashes only."""
    content = {"learned": sorted({key(text) for text in texts})}
    (folder / FILE).write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


def read(folder: Path) -> frozenset[str]:
    """The :func:`key` of every text that the encoder in ``folder`` has learned; none without such a file.

    Raises:
        ValueError: the file is there and can't be read.
    """
    path = folder / FILE
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(json.loads(path.read_bytes())["learned"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"{path}: not the file that `pointsman train` wrote ({exc})") from exc


def key(text: str) -> str:
    """What stands for ``text``."""
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
