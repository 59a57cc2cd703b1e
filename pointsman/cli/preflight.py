"""What is looked at before anything starts: one clear line for each thing that would fail later.

Knows the machine, not the service: it gets addresses and sizes and gives back sentences.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil

GIB = 1 << 30
COMPILERS = ("gcc", "g++")
CGROUP = Path("/sys/fs/cgroup")


def port_problems(host: str, port: int) -> Iterator[str]:
    """A sentence if nothing can listen on ``host``:``port``; port 0 is always free."""
    error = _bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        other = next(number for number in range(port + 1, 65536) if _bind_error(host, number) is None)
        yield (
            f"port {port} on {host} is in use{_holder(port)}: "
            f"choose another with --port {other} (make up PORT={other})"
        )
    elif error.errno == errno.EACCES:
        yield f"port {port} on {host} needs root: choose one over 1023 with --port (make up PORT=8000)"
    else:
        yield f"can't listen on {host}, port {port}: {error.strerror or error}"


def engine_problems(*, compiles: bool) -> Iterator[str]:
    """Sentences for what vLLM as a child process would miss on this machine."""
    if find_spec("vllm") is None:
        yield "vLLM is not installed here: make env (make env ACCEL=cuda with an NVIDIA GPU)"
    missing = [name for name in COMPILERS if shutil.which(name) is None]
    if compiles and missing:
        yield (
            f"no {' and no '.join(missing)} on PATH, and vLLM compiles kernels with it: install it (Debian: "
            'apt-get install g++), or set TORCH_COMPILE_DISABLE: "1" under engine.environment'
        )


def memory_problems(needed: float) -> Iterator[str]:
    """A sentence if less than ``needed`` GiB of memory are available, container limits included."""
    free = available_memory() / GIB
    if free < needed:
        yield (
            f"{needed:.0f} GiB of memory are needed for the engine and the gateway, {free:.1f} GiB are "
            "available: stop something, or give the container more"
        )


def available_memory() -> int:
    """Bytes that can be had without swapping, within this process's cgroup."""
    available = int(psutil.virtual_memory().available)
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        counts = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return min(available, limit - used + int(counts["inactive_file"]))
    except (OSError, ValueError, KeyError):  # no cgroup v2 here, or its limit is the word "max"
        return available


def _bind_error(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        return exc
    return None


def _holder(port: int) -> str:
    """Who listens on ``port``, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            here = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and here == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
