"""A demo that is served for a proof: a process of its own, with its state in a folder of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from service.engine.command import command, environment
from service.settings import Settings

HOME = Path(__file__).parents[1] / "demo"
CONFIG = HOME / "pointsman.yaml"
START_SECONDS = 600.0
_STOP_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1  # of prctl
_REMEMBER = 100  # answers that can be rated: 2,000 of them fill up all through a proof, and look like a leak
_SERVER = "vllm.entrypoints.openai.api_server"


_ROUTES = """\
version: 1
fallback: {chain: direct, adapter: chat}
out_of_scope:
  - what is the weather like tomorrow
  - write me a poem about the sea
  - who won the football match
  - recommend a good film
  - book a flight to Paris
routes:
  - intent: track_parcel
    chain: direct
    adapter: support
    sampling: {temperature: 0, max_tokens: 16}
    examples:
      - where is my parcel
      - track my parcel please
      - where is my package now
      - has my parcel been shipped
      - can you track parcel PX1234
      - when does my order arrive
  - intent: arithmetic
    chain: direct
    adapter: math
    examples:
      - what is 12 plus 30
      - add 4 and 9
      - how much is 55 minus 20
      - calculate 7 plus 8
      - what is 90 - 41
      - 12 + 44 = ?
"""


class ProofError(Exception):
    """The proof could not be led; says what was in its way."""


@dataclass(frozen=True)
class Served:
    """A running gateway and its engine."""

    url: str
    state: Path  # database, copies of the versions, admin key
    adapters: Path  # where artefacts are registered from
    gateway: psutil.Process

    @property
    def admin(self) -> dict[str, str]:
        """The header that lets the admin in."""
        return {"authorization": f"Bearer {(self.state / 'admin.key').read_text('utf-8').strip()}"}

    @property
    def engine(self) -> psutil.Process | None:
        """vLLM's API server, a descendant of the gateway; None while it is down."""
        try:
            family = self.gateway.children(recursive=True)
            found = [one for one in family if _SERVER in one.cmdline()]
        except psutil.Error:
            return None
        return found[-1] if found else None  # the guardian names it too, and comes first

    def in_engine(self) -> set[str]:
        """The names of the adapters that the engine itself says it has.

        Raises:
            ProofError: it is down.
        """
        if (engine := self.engine) is None:
            raise ProofError("the engine is down")
        words = engine.cmdline()
        port, key = words[words.index("--port") + 1], engine.environ()["VLLM_API_KEY"]
        answer = httpx.get(
            f"http://127.0.0.1:{port}/v1/models", headers={"authorization": f"Bearer {key}"}, trust_env=False
        )
        return {one["id"] for one in answer.json()["data"] if one.get("parent")}

    def ready(self) -> bool:
        """Whether a request would succeed."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def settings_in(folder: Path, changes: Mapping[str, Any] | None = None, *, few_routes: bool = False) -> Path:
    """The demo's settings with state and adapters in ``folder``; ``changes`` are of its engine.

    ``few_routes`` are for what is no proof of a router: theirs is fitted in seconds.
    """
    settings: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    shutil.copytree(HOME / settings["adapters"]["folder"], folder / "adapters")
    settings["state"] = "state"
    settings["adapters"]["folder"] = "adapters"
    settings["engine"]["model"] = str(HOME / settings["engine"]["model"])
    settings["engine"] |= changes or {}
    settings["feedback"] = {**settings.get("feedback", {}), "remember": _REMEMBER}
    settings["router"]["routes"] = str(HOME / settings["router"]["routes"])
    if few_routes:
        (folder / "routes.yaml").write_text(_ROUTES, encoding="utf-8")
        settings["router"]["routes"] = "routes.yaml"
    settings["prompts"] = str((HOME / settings["prompts"]).resolve())
    path = folder / "pointsman.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@contextmanager
def serving(
    folder: Path, port: int, changes: Mapping[str, Any] | None = None
) -> Generator[Served, None, None]:
    """Serve the demo with its state in ``folder`` until the exit.

    Raises:
        ProofError: it did not become ready.
    """
    with running(settings_in(folder, changes, few_routes=True), port, folder) as served:
        yield served


@contextmanager
def running(config: Path, port: int, folder: Path) -> Generator[Served, None, None]:
    """A gateway of these settings, which are in ``folder``, until the exit; it may be killed before.

    Raises:
        ProofError: it did not become ready.
    """
    output = folder / "output.txt"
    words = [sys.executable, "-m", "pointsman.cli", "serve", "--config", str(config), "--port", str(port)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=stop_with_parent,  # noqa: PLW1509  no thread runs yet
        )
    served = Served(
        f"http://127.0.0.1:{port}", folder / "state", folder / "adapters", psutil.Process(process.pid)
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not served.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                said = output.read_text(encoding="utf-8", errors="replace")[-2_000:]
                raise ProofError(f"the demo was not ready after {START_SECONDS:g} s:\n{said}")
            time.sleep(0.25)
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def engine_apart(settings: Settings, port: int, output: Path) -> Iterator[None]:
    """vLLM as the demo starts it, with no gateway and no key, until the exit.

    Raises:
        ProofError: it did not come up.
    """
    variables = environment(settings.engine, os.environ, "")
    del variables["VLLM_API_KEY"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command(settings.engine, port),
            stdout=file,
            stderr=file,
            env=variables,
            cwd=HOME,
            preexec_fn=stop_with_parent,  # noqa: PLW1509  no thread runs yet
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success:
                    break
            except httpx.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                said = output.read_text(encoding="utf-8", errors="replace")[-2_000:]
                raise ProofError(f"vLLM was not up after {START_SECONDS:g} s:\n{said}")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop_with_parent() -> None:
    """Whoever started this process takes it along when it is killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
