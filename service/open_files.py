"""How many files this process may have open at once; a connection is one."""

from __future__ import annotations

import contextlib
import resource


def allow_most() -> None:
    """As many as the system grants. Most shells begin with 1,024, of which a streamed answer takes two."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError):  # where it names no number, as on macOS, ours stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
