"""The processes of a run: an engine, a gateway, an engine that answers at once. Each ends with its block."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from pointsman.ports import free_port
from service.engine.command import command, environment
from service.sections import EngineSettings

_START_SECONDS = 300.0
REPOSITORY = Path(__file__).parents[3]


class NotStarted(Exception):
    """A process ended or said nothing in time; says where its log is."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Of the process and its children, user and system."""
        found = [self.process, *self.process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:2]) for one in found)

    def memory_mb(self) -> float:
        """Resident, of the process alone."""
        return float(self.process.memory_info().rss) / 1e6


@contextmanager
def engines(
    wanted: Sequence[tuple[EngineSettings, Path]], seconds: float
) -> Generator[list[Running], None, None]:
    """Plain vLLMs without keys, each with its log; they start side by side."""
    with contextlib.ExitStack() as held:
        begun = []
        for settings, log in wanted:
            port = free_port()
            env = environment(settings, os.environ, "")
            del env["VLLM_API_KEY"]
            url = f"http://127.0.0.1:{port}"
            begun.append((url, held.enter_context(_started(command(settings, port), env, log)), log))
        for url, process, log in begun:
            _wait(process, log, seconds, partial(_healthy, url))
        yield [Running(url, process) for url, process, _ in begun]


@contextmanager
def gateway(config: Path, log: Path, seconds: float, core: int | None) -> Generator[Running, None, None]:
    """``pointsman serve`` with all adapters loaded, on one core if it is told which.

    Where there is no encoder to route with, it serves who names a model.

    Raises:
        NotStarted: it is not ready in time, or can't load an adapter and would try again while it is asked.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    serve = [sys.executable, "-m", "pointsman.cli", "serve", "--port", str(port)]

    def is_up() -> str | None:
        status, body = _status(f"{url}/ready")
        said = json.loads(body) if status in (200, 503) else {}
        if status == 200 and (problems := said["adapters"]["problems"]):
            raise NotStarted(f"{len(problems)} adapters are not loaded, the first: {problems[0]}")
        reasons = said["reasons"] if status == 503 else []
        routerless = reasons and all(one.startswith("the router can't be fitted") for one in reasons)
        return url if status == 200 or routerless else None

    with _started([*pinned, *serve, "--config", str(config)], os.environ, log) as process:
        _wait(process, log, seconds, is_up)
        yield Running(url, process)


@contextmanager
def instant(
    log: Path, model: str, tokens: int, every: float, core: int | None
) -> Generator[Running, None, None]:
    """An engine that answers at once; ``every`` seconds between the tokens of a stream."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    stub = [sys.executable, "-m", "deploy.bench.serving.stub", "--model", model]
    words = [*pinned, *stub, "--tokens", str(tokens), "--every", str(every)]
    with _started(words, os.environ, log) as process:
        yield Running(_wait(process, log, 60.0, lambda: _said(log, r"(http://\S+)")), process)


@contextmanager
def serving(
    words: Sequence[str], env: Mapping[str, str], log: Path, health: str
) -> Generator[Running, None, None]:
    """Any other server, once the URL ``health`` is answered with 200."""
    with _started(words, env, log) as process:
        _wait(process, log, _START_SECONDS, lambda: health if _status(health)[0] == 200 else None)
        parts = urlsplit(health)
        yield Running(f"{parts.scheme}://{parts.netloc}", process)


@contextmanager
def _started(
    words: Sequence[str], env: Mapping[str, str], log: Path
) -> Generator[psutil.Process, None, None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        child = subprocess.Popen(
            words, stdout=out, stderr=out, env=dict(env), cwd=REPOSITORY, start_new_session=True
        )
    try:
        yield psutil.Process(child.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _wait(process: psutil.Process, log: Path, seconds: float, look: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise NotStarted(f"it ended; see {log}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"not ready after {seconds:g} s; see {log}:\n{_tail(log)}")
        time.sleep(0.2)
    return found


def _said(log: Path, pattern: str) -> str | None:
    match = re.search(pattern, log.read_text(encoding="utf-8", errors="replace"))
    return None if match is None else match[1]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def _status(url: str) -> tuple[int, bytes]:
    """What a GET is answered; status 0 where nothing answers."""
    try:
        answer = httpx.get(url, timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return 0, b""
    return answer.status_code, answer.content


def _healthy(url: str) -> str | None:
    return url if _status(f"{url}/health")[0] == 200 else None
