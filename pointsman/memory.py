"""How much memory there is to be had. Python and nothing else: it is asked before there is an environment."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes that can be had without swapping, within this process's limits and its container's."""
    bounds = [1 << 62]
    with suppress(OSError, TypeError):  # no such file but on Linux
        found = re.search(r"MemAvailable: +(\d+) kB", (PROC / "meminfo").read_text())
        bounds.append(int(found[1]) << 10 if found else bounds[0])
    own, _ = resource.getrlimit(resource.RLIMIT_AS)
    if own != resource.RLIM_INFINITY:
        bounds.append(own)
    for folder, limit, used, dropped in (
        (CGROUP, "memory.max", "memory.current", "inactive_file"),
        (CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        # Neither is there on every machine, and a limit may be the word "max".
        with suppress(OSError, ValueError, KeyError):
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            free = int((folder / limit).read_text()) - int((folder / used).read_text())
            bounds.append(free + int(counts[dropped]))
    return min(bounds)
