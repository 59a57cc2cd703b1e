"""The engine as the rest of the service sees it: one child or several URLs, up or not."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence, Set
from pathlib import Path
from typing import Literal

from service.engine.bound import CHAT, BoundEngine
from service.engine.client import Carriers, EngineClient
from service.engine.placement import Beginning, Load, Shares, choose
from service.engine.process import EngineProcess
from service.engine.watch import keep_running, watch
from service.engine.wire import Outlet
from service.errors import EngineUnavailable
from service.sections import EngineSettings

log = logging.getLogger("pointsman.engine")

State = Literal["starting", "ready", "restarting", "failed", "stopped"]
_RETRY_STARTING = 10  # seconds
_RETRY_LOADING = 1  # seconds
_ALIKE = Beginning()
_NOTHING: tuple[int, Set[str]] = 0, frozenset()


class EnginePool:
    """The servers that are up. :mod:`service.engine.placement` says which of them a call goes to."""

    def __init__(
        self,
        *,
        process: EngineProcess | None = None,
        outside: Sequence[EngineClient] = (),
        silence: float = math.inf,
    ) -> None:
        """``silence``: seconds without a token after which one from ``outside`` counts as hung."""
        self._process = process
        self._outside = tuple(outside)
        self._silence = silence
        self._up: dict[EngineClient, float] = {}  # and since when, in seconds of the monotonic clock
        self._where: Callable[[str], Collection[EngineClient] | None] = lambda _: None
        self._carriers: Carriers | None = None
        self._on_up: list[Callable[[EngineClient], Awaitable[None]]] = []
        self._on_down: list[Callable[[EngineClient], None]] = []
        self._templates = Shares()
        self._tell: Callable[[int], None] = lambda _: None
        self._tasks: list[asyncio.Task[None]] = []
        self.state: State = "stopped"
        self.detail = "not started"
        self._failure = ""  # why the last start failed, until one does not
        self.restarts = 0  # how often a server that was up went away

    @classmethod
    def from_settings(cls, settings: EngineSettings, state: Path) -> EnginePool:
        """A pool of the settings' URLs, or of a child whose log goes to the folder ``state``."""
        if settings.urls:
            outside = [EngineClient(url) for url in settings.urls]
            return cls(outside=outside, silence=settings.silence_timeout_seconds)
        return cls(process=EngineProcess(settings, state))

    async def start(self) -> None:
        """Begin to start or to watch the servers; returns at once."""
        self.state, self.detail = "starting", "launching vLLM" if self._process else "asking its servers"
        if self._process is not None:
            self._tasks = [asyncio.create_task(keep_running(self._process, self), name="engine")]
        else:
            self._tasks = [
                asyncio.create_task(watch(client, self, self._silence), name=f"engine {client.url}")
                for client in self._outside
            ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End the child; returns when none of its processes is left."""
        self.state, self.detail = "stopped", "the gateway is stopping"
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def on_up(self, callback: Callable[[EngineClient], Awaitable[None]]) -> None:
        """Have ``callback`` awaited with every server that came up, before it counts as ready."""
        self._on_up.append(callback)

    def on_down(self, callback: Callable[[EngineClient], None]) -> None:
        """Have ``callback`` called when a server went away, with all that it had loaded."""
        self._on_down.append(callback)

    def carried_by(self, workers: Carriers) -> None:
        """Have ``workers`` carry the streams of every server that comes up."""
        self._carriers = workers

    def counted(self, tell: Callable[[int], None]) -> None:
        """Have ``tell`` called with how many servers are up, each time that it changes."""
        self._tell = tell

    def clients(self) -> tuple[EngineClient, ...]:
        """Every server that is up."""
        return tuple(self._up)

    def left(self) -> tuple[int, Set[str]]:
        """How many requests are left on servers that are gone, and the models that no other works on."""
        if len(self._up) >= len(self._outside):
            return _NOTHING
        gone: dict[object, str] = {}
        for client in self._outside:
            if client not in self._up:
                gone |= client.requests
        if not gone:
            return _NOTHING
        return len(gone), set(gone.values()).difference(*(client.requests.values() for client in self._up))

    def placed(self, where: Callable[[str], Collection[EngineClient] | None]) -> None:
        """Ask ``where`` which servers have a model; None: every one."""
        self._where = where

    def client(
        self,
        model: str | None = None,
        begins: Beginning = _ALIKE,
        without: Collection[EngineClient] = (),
    ) -> EngineClient:
        """The server for a call to ``model`` (None: what all have) that begins so.

        Raises:
            EngineUnavailable: none is up, or none that has the model and is not in ``without``.
        """
        if not self._up:
            raise EngineUnavailable(f"the engine is {self._condition()}", _RETRY_STARTING)
        having = None if model is None else self._where(model)
        if len(self._up) == 1 and having is None and not without:
            return next(iter(self._up))
        now = time.monotonic()
        known = {
            client.url: client
            for client in self._up
            if (having is None or client in having) and client not in without
        }
        if not known:
            raise EngineUnavailable(f"no server of the engine has {model or 'the base'} now", _RETRY_LOADING)
        loads = {url: Load(client.calls, now - self._up[client]) for url, client in known.items()}
        template = f"{model}\0{begins.template}" if begins.template else ""
        share = self._templates.of(template) * len(self._up) / len(known) if template else 1.0
        return known[choose(Beginning(template, f"{model}\0{begins.conversation}"), loads, share)]

    def bind(self, model: str, path: str = CHAT, outlet: Outlet | None = None) -> BoundEngine:
        """Completions on ``model``: the base's name, or an adapter's ``alias@version``.

        What ``outlet`` takes of a stream, its reader does not get.
        """
        return BoundEngine(self, model, path, outlet)

    # what :class:`service.engine.watch.Listener` asks for

    async def prepare(self, client: EngineClient) -> None:
        """Run the callbacks of :meth:`on_up`."""
        self.detail = "loading adapters"
        for callback in self._on_up:
            await callback(client)

    def up(self, client: EngineClient) -> None:
        """Count the server in."""
        if self._carriers is not None:
            client.carried_by(self._carriers)
        self._up[client] = time.monotonic()
        self.state, self.detail, self._failure = "ready", "", ""
        self._tell(len(self._up))
        log.info("the engine is ready at %s", client.url)

    def down(self, client: EngineClient, reason: str) -> None:
        """Count the server out."""
        for callback in self._on_down:
            callback(client)
        was_up = client in self._up
        self._up.pop(client, None)
        if self.state == "stopped":
            return
        self.restarts += was_up
        if was_up:
            self._tell(len(self._up))
        if not self._up:
            self.state, self.detail = "restarting", reason or self.detail

    def failed(self, reason: str) -> None:
        """Remember why no server could be started; it goes on being tried."""
        self.state, self.detail, self._failure = "failed", reason, reason

    def progress(self, detail: str) -> None:
        """Show how far the start is."""
        if not self._up:
            self.detail = f"{self._failure}; tried again: {detail}" if self._failure else detail

    def _condition(self) -> str:
        # not the detail: it quotes the log
        return {"failed": "down", "ready": "starting"}.get(self.state, self.state)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the watch over the engine broke", exc_info=error)
            if not self._up:  # else the other servers answer
                self.state, self.detail = "failed", f"the watch over the engine broke: {error}"
