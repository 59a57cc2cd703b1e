"""What a bench says of the machine, and of how far it is."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path


def processor() -> str:
    """The CPU's name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def progress() -> Callable[[str], None]:
    """A function that says a line with the seconds since now before it."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    return say
