"""A small parent for vLLM: when the gateway is gone, for whatever reason, nothing of vLLM stays.

Run as a script, with the standard library only: ``python -I guardian.py COMMAND...``, as the leader of a
new session, with a pipe from the gateway as standard input. Ends when that pipe closes or the command
ends, and takes its whole process group with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_TRACKER_SECONDS = 1.0  # for multiprocessing's resource tracker to remove shared memory


def main(command: list[str]) -> None:
    """Run ``command`` until it or the gateway ends, then end the group; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    libc = ctypes.CDLL(None)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one thread
    )
    select.select([sys.stdin.fileno(), os.pidfd_open(child.pid)], [], [])
    _end()


def _end() -> None:
    """Kill the group; resource trackers, which clean up after the others, a moment later."""
    me, deadline = os.getpid(), time.monotonic() + _TRACKER_SECONDS
    for pid in _members():
        if pid != me and not _is_tracker(pid):
            os.kill(pid, signal.SIGKILL)
    while time.monotonic() < deadline and any(_is_tracker(pid) for pid in _members()):
        time.sleep(0.02)
    os.killpg(0, signal.SIGKILL)


def _members() -> list[int]:
    """Processes of our group that still run."""
    group, found = os.getpgrp(), []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    state, _, its_group = file.read().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(its_group) == group and state not in "ZX":
                found.append(int(entry))
    return found


def _is_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read()
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
