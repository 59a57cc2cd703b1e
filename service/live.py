"""The routes that are live now: loaded at the start, loaded again on change, swapped all at once.

A new set is built beside the live one, in a thread; a set that can't be built changes nothing and its
problems are kept to be shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from watchfiles import Change, awatch

from chains.daemon import in_daemon
from chains.errors import ChainError
from chains.events import Chain, Waiting
from chains.registry import chain_by_name
from chains.resources import Resources
from router.batching import BatchingRouter, lanes
from router.decision import Decision
from router.embedding import Embedder
from router.encoder import Encoder
from router.errors import RouterError
from router.report import messages
from router.router import Router
from service.errors import NotReady, RoutesRejected
from service.routes import Route, RouteTable, load_table
from service.settings import Settings

log = logging.getLogger("pointsman.routes")

_NEED_NOTHING = ("direct", "cot")  # chains that serve a model by its name before any route is ready
_RETRY = 2.0  # seconds until a folder that can't be watched is tried again


@dataclass(frozen=True)
class RouteSet:
    """A table, the router that was fitted on its examples, and what both say against them."""

    table: RouteTable
    router: Router
    warnings: tuple[str, ...]


class LiveRoutes:
    """Decides with the live set. Start it, use it and stop it in one event loop."""

    def __init__(self, settings: Settings, observe: Callable[[float], object] = lambda _: None) -> None:
        self._settings = settings
        self._observe = observe  # gets the seconds of every decision
        self._live: RouteSet | None = None
        self._table: RouteTable | None = None  # the live one's, or the first while its router is fitted
        self._batching: BatchingRouter | None = None
        self._encoder: Encoder | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._named: dict[str, Chain] = {}  # chains without options that requests named, warm
        self._reloading = asyncio.Lock()
        self.problems: tuple[str, ...] = ()  # of the last set that could not be built
        self._step, self._began = "", 0.0  # of the set that is being built

    @property
    def live(self) -> RouteSet | None:
        """The set that decides now; None until the first is built."""
        return self._live

    @property
    def progress(self) -> str:
        """How far the first set is, for who waits for it."""
        return f"the router is being fitted ({time.monotonic() - self._began:.0f} s): {self._step}"

    async def start(self) -> None:
        """Check the routes, then fit the router and watch the files in tasks of our own.

        Raises:
            RoutesRejected: the files can't be used, so there is nothing to start with.
        """
        self._table = await asyncio.to_thread(self._load_table)
        self._tell("reading its examples")
        self._began = time.monotonic()
        self._tasks = [
            asyncio.create_task(self._reload_quietly(), name="first routes"),
            asyncio.create_task(self._watch(), name="watch routes"),
        ]

    async def stop(self) -> None:
        """End the tasks and refuse further decisions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._batching is not None:
            await self._batching.aclose()

    async def reload(self) -> RouteSet:
        """Build a new set and make it live.

        Raises:
            RoutesRejected: it can't be built; the live one stays.
        """
        async with self._reloading:
            try:
                # Minutes at worst, and Ctrl-C does not wait for it.
                built = await in_daemon(partial(self._build, self._live), "fit")
            except RoutesRejected as exc:
                self.problems = tuple(exc.problems)
                raise
            if self._batching is None:
                self._batching = BatchingRouter(built.router, lanes())
            else:
                self._batching.swap(built.router)
            self._live, self._table, self.problems = built, built.table, ()
            log.info("%d routes are live: %s", len(built.table.routes), ", ".join(built.table.routes))
            for warning in built.warnings:
                log.warning("%s", warning)
            return built

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the live set says against itself, and what chains of it wait for."""
        if self._live is None:
            return ()
        waiting = {
            f"the route {route.intent!r} is refused: {route.chain.missing}": None
            for route in self._live.table.all()
            if isinstance(route.chain, Waiting) and route.chain.missing is not None
        }
        return (*self._live.warnings, *waiting)

    @property
    def embedder(self) -> Embedder:
        """The encoder's own vectors.

        Raises:
            NotReady: the encoder is still being loaded, or can't be.
        """
        if self._encoder is None:
            reason = f": {self.problems[0]}" if self.problems else ""
            raise NotReady(f"the encoder is not loaded yet{reason}")
        return self._encoder.embedder

    @property
    def adapters(self) -> frozenset[str]:
        """The aliases that routes answer with."""
        found = [] if self._table is None else [route.adapter for route in self._table.all()]
        return frozenset(alias for alias in found if alias is not None)

    def reasons(self, adapter: str | None) -> bool:
        """Whether a route has ``adapter`` (alias or version; None: the base) reason before it answers."""
        return self._table is not None and self._table.reasons(adapter)

    async def decide(
        self, messages: Sequence[dict[str, Any]], brings_tools: bool = False
    ) -> tuple[Decision, Route]:
        """The decision on a conversation, with tools of its own or without, and the route that it takes.

        Raises:
            NotReady: the first set is still being built, or could not be.
        """
        began = time.perf_counter()
        while True:
            live, batching = self._live, self._batching
            if live is None or batching is None:
                reason = f": {self.problems[0]}" if self.problems else ""
                raise NotReady(f"the router is not fitted yet{reason}")
            decision = await batching.decide(messages)
            if self._live is live:  # else the decision may be of the old set: ask the new one
                self._observe(time.perf_counter() - began)
                return decision, live.table.route(decision.intent, brings_tools)

    async def chain(self, name: str) -> Chain:
        """The installed chain ``name`` without options, warm.

        Raises:
            NotReady: there is nothing to warm it with yet.
            ChainNotFound, ChainOptionsError: it is not installed, or can't be made without options.
        """
        if name not in self._named:
            chain, live = await asyncio.to_thread(chain_by_name, name), self._live
            if name not in _NEED_NOTHING:
                if live is None:
                    raise NotReady(f"the chain {name!r} waits for the router, which is not fitted yet")
                await in_daemon(partial(chain.warm, self._resources(live.router)), "warm")
            self._named[name] = chain
        return self._named[name]

    def _resources(self, router: Router) -> Resources:
        return Resources(router.encoder, self._settings.state)

    def _load_table(self) -> RouteTable:
        return load_table(self._settings.router.routes, self._settings.prompts, self._settings.limits)

    def _build(self, live: RouteSet | None) -> RouteSet:
        table = self._load_table()
        try:
            if live is not None and live.table.examples.digest == table.examples.digest:
                router = live.router
            else:
                name, folder = self._settings.router.encoder, self._settings.state / "router"
                self._tell("loading its encoder")
                self._encoder = self._encoder or Encoder.load(name, folder)
                router = Router.fit_or_load(table.examples, self._encoder, folder, self._tell)
            for route in table.all():
                route.chain.warm(self._resources(router))
        except (RouterError, ChainError, OSError) as exc:
            raise RoutesRejected([f"{self._settings.router.routes}: {exc}"]) from exc
        warnings = messages((*table.policy.warnings(table.examples), *router.report.warnings))
        return RouteSet(table, router.under(table.policy), warnings)

    def _tell(self, step: str) -> None:
        self._step = step

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except RoutesRejected as exc:
            for problem in exc.problems:
                log.error("routes not loaded: %s", problem)
        except Exception as exc:
            self.problems = (f"the routes can't be loaded: {type(exc).__name__}",)
            log.exception("routes not loaded")

    async def _watch(self) -> None:
        routes, prompts = self._settings.router.routes, self._settings.prompts

        def ours(_: Change, name: str) -> bool:
            path = Path(name)
            if path.parent == routes.parent and path.suffix == ".jsonl":  # example files
                return True
            return path == routes or (path.parent == prompts and path.suffix == ".yaml")

        while True:
            try:
                async for _ in awatch(routes.parent, prompts, watch_filter=ours, recursive=False):
                    await self._reload_quietly()
            except OSError as exc:
                log.warning("the routes can't be watched: %s; trying again", exc)
            await asyncio.sleep(_RETRY)
