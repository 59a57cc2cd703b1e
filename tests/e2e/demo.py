"""The real demo for tests: vLLM with the carried base and its adapters, and the gateway, started once.

``pointsman serve`` runs as a user starts it, in a process of its own, with a state folder and an adapters
folder of its own, so that a test may add to both. Use the fixture ``demo``; mark the test with ``e2e``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.proof.served import settings_in, stop_with_parent
from pointsman.ports import free_port

ROOT = Path(__file__).parents[2]
HOME = ROOT / "deploy" / "demo"
START_SECONDS = 480.0  # a cold start on a busy old machine; a second one takes a quarter of it
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Demo:
    """A running demo."""

    url: str
    config: Path
    process: subprocess.Popen[bytes]
    output: Path  # what the command printed

    @property
    def state(self) -> Path:
        """Its database, logs and admin key."""
        return self.config.parent / "state"

    @property
    def adapters(self) -> Path:
        """Its adapters folder, a copy of the demo's."""
        return self.config.parent / "adapters"

    @property
    def admin(self) -> dict[str, str]:
        """The header that lets the admin in."""
        key = (self.state / "admin.key").read_text(encoding="utf-8").strip()
        return {"authorization": f"Bearer {key}"}

    @property
    def environment(self) -> dict[str, str]:
        """What a shell needs so that `pointsman` talks to this demo."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ours = {"PATH": path, "POINTSMAN_URL": self.url, "POINTSMAN_CONFIG": str(self.config)}
        return {**os.environ, **ours}

    @property
    def said(self) -> str:
        """What the command has printed so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def ready(self) -> bool:
        """Whether a request would succeed, and the user was told so."""
        try:
            return (
                "Ctrl-C" in self.said
                and httpx.get(f"{self.url}/ready", timeout=5, trust_env=False).is_success
            )
        except httpx.HTTPError:
            return False

    def wait_until_ready(self, seconds: float) -> None:
        """Raises AssertionError with the last of its output if it isn't in time, or has ended."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            ended, said = self.process.poll(), self.said[-4_000:]
            assert ended is None, f"the demo ended with {ended}:\n{said}"
            assert time.monotonic() < deadline, f"the demo was not ready after {seconds:g} s:\n{said}"
            time.sleep(0.25)


@contextmanager
def running(folder: Path) -> Generator[Demo, None, None]:
    """A demo of its own with its state in ``folder``; afterwards none of its processes is left.

    Compilers fail and leave a trace: Python, make and gcc are all that the demo may need, and gcc only
    for the environment.
    """
    config, output = settings_in(folder), folder / "output.txt"
    compiled = _broken_compilers(folder / "bin")
    port = free_port()
    words = [sys.executable, "-m", "pointsman.cli", "serve", "--config", str(config), "--port", str(port)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, "PATH": f"{compiled.parent}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=stop_with_parent,  # noqa: PLW1509  no thread of the tests runs yet
        )
    demo = Demo(f"http://127.0.0.1:{port}", config, process, output)
    try:
        demo.wait_until_ready(START_SECONDS)
        yield demo
        assert not compiled.exists(), compiled.read_text(encoding="utf-8")
    finally:
        stop(demo)


def _broken_compilers(folder: Path) -> Path:
    """Fill ``folder`` with compilers that fail; the file in which they say how they were called."""
    folder.mkdir()
    for name in ("gcc", "g++", "cc", "c++"):
        script = folder / name
        script.write_text(f'#!/bin/sh\necho "$0 $*" >> {folder}/called\nexit 1\n', encoding="utf-8")
        script.chmod(0o755)
    return folder / "called"


def stop(demo: Demo) -> None:
    """Ctrl-C; the command must end well and leave no process."""
    if demo.process.poll() is None:
        family = psutil.Process(demo.process.pid).children(recursive=True)
        demo.process.send_signal(signal.SIGINT)
        try:
            status = demo.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(demo.process.pid, signal.SIGKILL)
            raise
        _, left = psutil.wait_procs(family, timeout=5)
        assert not left, f"left behind: {left}"
        assert status == 0, demo.said[-4_000:]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Demo, None, None]:
    """The demo, started once for the whole session."""
    with running(tmp_path_factory.mktemp("demo")) as found:
        yield found
