"""What is looked at before anything starts: one clear line for each thing that would fail later.

Knows the machine, not the service: it gets addresses and sizes and gives back sentences. It needs Python and
nothing else, because `make up` looks before there is an environment (:mod:`pointsman.cli.before_env`).
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pointsman.memory import available_memory

GIB = 1 << 30
MEMORY_GIB = 4.0  # vLLM with the demo's base and the gateway with its encoder; a larger base needs more
COMPILERS = ("gcc", "g++")
PROC = Path("/proc")
_LISTENS = "0A"  # a state in the kernel's table of connections


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


def compiler_problems() -> Iterator[str]:
    """A sentence if vLLM as a child process could not compile its kernels here."""
    missing = [name for name in COMPILERS if shutil.which(name) is None]
    if missing:
        yield (
            f"no {' and no '.join(missing)} on PATH, and vLLM compiles kernels with it: install it (Debian: "
            'apt-get install g++), or set TORCH_COMPILE_DISABLE: "1" under engine.environment'
        )


def memory_problems() -> Iterator[str]:
    """A sentence if less than ``MEMORY_GIB`` of memory are available, container limits included."""
    free = available_memory() / GIB
    if free < MEMORY_GIB:
        yield (
            f"{MEMORY_GIB:.0f} GiB of memory are needed for the engine and the gateway, {free:.1f} GiB are "
            "available: stop something, or give the container more"
        )


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
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for link in PROC.glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if str(link.readlink()) in sockets:
                process = link.parent.parent
                return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on ``port``."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / name).read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    yield rest[5]
