"""vLLM as a child: started, watched, killed whole. :mod:`service.engine.watch` decides to start it again.

vLLM is several processes. The death of any of them is the death of the engine, and is seen at once: the
children are waited for by file descriptor, not asked over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psutil

from pointsman.ports import free_port
from service.engine.client import EngineClient
from service.engine.command import command, environment
from service.engine.silence import silent
from service.sections import EngineSettings

log = logging.getLogger("pointsman.engine")

_GUARDIAN = Path(__file__).with_name("guardian.py")
_TITLE = "VLLM::"  # how vLLM's engine and worker processes call themselves
_POLL_SECONDS = 0.2
_HEALTH_SECONDS = 5.0
_KILL_SECONDS = 3.0
_HUNG_SECONDS = 60.0  # without any answer from /health
_LOG_BYTES = 16 << 20  # a log over this is put aside at the next start
_PREFIX = re.compile(r"^(\([^)]*\) )?((DEBUG|INFO|WARNING|ERROR) \S+ \S+ (\[[^\]]*\] ?)?)?")
_STEPS = (  # of a start, as its log shows them, in words for who waits
    (r"non-default args", "reading its configuration"),
    (r"Resolved architecture: (\w+)", "preparing the engine for a {}"),
    (r"Initializing a V1 LLM engine", "setting up the engine"),
    (r"Starting to load model", "loading the base"),
    (r"checkpoint shards: +(\d+)% Completed", "loading the base ({} %)"),
    (r"Loading weights took", "the base is loaded"),
    (r"Dynamo bytecode transform|Compiling a graph", "compiling the base"),
    (r"KV cache size: ([\d,]+) tokens", "making room for {} tokens"),
    (r"Capturing .*graph", "capturing CUDA graphs"),
    (r"Starting vLLM server", "opening its API"),
)

Command = Callable[[EngineSettings, int], Sequence[str]]


class EngineFailed(Exception):
    """The child could not be started; says why."""


class EngineProcess:
    """At most one running vLLM; ``start`` after ``kill`` makes the next."""

    def __init__(self, settings: EngineSettings, state: Path, make_command: Command = command) -> None:
        self.log_path = state / "engine.log"
        self._settings = settings
        self._make_command = make_command
        self._key = secrets.token_urlsafe(24)
        self._guardian: subprocess.Popen[bytes] | None = None
        self._client: EngineClient | None = None
        self._log_start = 0  # where in the log this start began

    async def start(self) -> EngineClient:
        """Start vLLM and wait until it answers.

        Raises:
            EngineFailed: it ended or did not answer in time; nothing of it is left.
        """
        port = self._settings.port or free_port()
        self._guardian = self._spawn(port)
        self._client = EngineClient(f"http://127.0.0.1:{port}", self._key)
        try:
            await self._wait_until_healthy(self._guardian, self._client)
        except BaseException:
            await self.kill()
            raise
        return self._client

    async def died(self) -> str:
        """Wait until the engine is dead or hangs; which process it was, as a sentence's end."""
        assert self._guardian is not None
        assert self._client is not None
        guardian = psutil.Process(self._guardian.pid)
        deaths = [asyncio.create_task(_named(_ended(self._guardian), "its API server ended"))]
        deaths += [  # the guardian ends as well, but takes the time to clear up
            asyncio.create_task(_named(_exit_of(process.pid), "its API server ended"))
            for process in guardian.children()
        ]
        for process in guardian.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                title = " ".join(process.cmdline())
                if title.startswith(_TITLE):
                    name = title.split()[0].removeprefix(_TITLE)
                    deaths.append(asyncio.create_task(_named(_exit_of(process.pid), f"its {name} ended")))
        deaths.append(asyncio.create_task(_named(self._hung(self._client), "it does not answer")))
        deaths.append(asyncio.create_task(silent(self._client, self._settings.silence_timeout_seconds)))
        try:
            done, _ = await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for task in deaths:
                task.cancel()
            await asyncio.gather(*deaths, return_exceptions=True)

    async def kill(self) -> None:
        """End every process of the child; returns when they are gone. Cancelled, it can be called again."""
        guardian, client = self._guardian, self._client
        if guardian is not None:
            group = guardian.pid
            if guardian.stdin is not None:
                guardian.stdin.close()  # the guardian ends the group and itself
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILL_SECONDS):
                    await _ended(guardian)
            await _empty(group)
            await _ended(guardian)
        if client is not None:
            await client.aclose()
        self._guardian = self._client = None

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        """The guardian with vLLM under it.

        Not by the loop: uvloop forks, and a fork waits for the threads of a BLAS at work (the router's fit)
        for ever. subprocess uses vfork, which runs no such handlers.
        """
        out = self._open_log()
        try:
            return subprocess.Popen(
                [sys.executable, "-I", str(_GUARDIAN), *self._make_command(self._settings, port)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=environment(self._settings, os.environ, self._key),
                start_new_session=True,
            )
        finally:
            os.close(out)

    def _open_log(self) -> int:
        """A descriptor at the log's end; only this user may read it, because it can quote prompts."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > _LOG_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
        out = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_start = os.lseek(out, 0, os.SEEK_END)
        return out

    def step(self) -> str:
        """How far this start is; what of vLLM's log says nothing to who waits is left out."""
        for line in reversed(self._lines()):
            for pattern, words in _STEPS:
                if (match := re.search(pattern, line)) is not None:
                    return words.format(*match.groups())
        return "importing vLLM"

    def _reason(self) -> str:
        """The last line of the log that names an error, and does not only send the reader to another."""
        lines = [_PREFIX.sub("", line) for line in self._lines()]
        errors = [line for line in lines if re.search(r"\w*(Error|Exception): (?!.*root cause above)", line)]
        return (errors or lines or ["it wrote nothing"])[-1]

    def _lines(self) -> list[str]:
        with contextlib.suppress(OSError), self.log_path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - 16_384))
            text = file.read().decode(errors="replace")
            return [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
        return []

    async def _wait_until_healthy(self, guardian: subprocess.Popen[bytes], client: EngineClient) -> None:
        seconds = self._settings.start_timeout_seconds
        deadline = time.monotonic() + seconds
        while not await client.healthy():
            if guardian.poll() is not None:
                raise EngineFailed(f"vLLM ended while starting: {self._reason()} (see {self.log_path})")
            if time.monotonic() > deadline:
                raise EngineFailed(f"vLLM was not ready after {seconds:g} s (see {self.log_path})")
            await asyncio.sleep(_POLL_SECONDS)

    async def _hung(self, client: EngineClient) -> None:
        """Return when nothing was heard for too long."""
        heard = time.monotonic()
        while time.monotonic() - heard < _HUNG_SECONDS:
            await asyncio.sleep(_HEALTH_SECONDS)
            if await client.healthy():
                heard = time.monotonic()


async def _named(waiting: Awaitable[object], name: str) -> str:
    await waiting
    return name


async def _ended(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of our child, and take its status."""
    while child.poll() is None:
        await _exit_of(child.pid)


async def _exit_of(pid: int) -> None:
    """Wait for the end of a process that is not our child, or has ended already."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _empty(group: int) -> None:
    """Kill what is left of a process group and wait until nothing of it runs."""
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline and _runs(group):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        await asyncio.sleep(0.01)


def _runs(group: int) -> bool:
    """Whether a process of the group is more than a zombie, for which nobody may ever ask."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return True
    return False
