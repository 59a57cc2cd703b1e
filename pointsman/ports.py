"""A port of this machine for a server that is about to start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port on 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
