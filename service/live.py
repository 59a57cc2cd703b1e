"""The routes that are live now: loaded at the start, loaded again on change, swapped all at once.

A new set is built beside the live one, in a thread; a set that can't be built changes nothing and its
problems are kept to be shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from chains.daemon import in_daemon
from chains.events import Chain, Waiting
from chains.registry import chain_by_name, warm
from chains.resources import Resources
from router.batching import BatchingRouter, lanes
from router.deciding.decision import Decision
from router.encoding.embedding import Embedder
from router.encoding.encoder import Encoder
from router.router import Router
from service.errors import NotReady, RoutesRejected
from service.moving import Beside, Movers, Moving
from service.route_files import changes
from service.route_sets import Builder, RouteSet
from service.routes import Route, RouteTable
from service.settings import Settings
from service.watched_folders import WatchedFolders

log = logging.getLogger("pointsman.routes")

_NEED_NOTHING = ("direct", "cot")  # chains that serve a model by its name before any route is ready


class LiveRoutes:
    """Decides with the live set. Start it, use it and stop it in one event loop."""

    def __init__(
        self,
        settings: Settings,
        observe: Callable[[float], object] = lambda _: None,
        moving: Callable[[], Moving] = Moving,
    ) -> None:
        self._settings = settings
        self._observe = observe  # gets the seconds of every decision
        self._moving = moving  # what live versions bring along
        self._builder = Builder(settings, Encoder.load, self._tell)
        self._live: RouteSet | None = None
        self._beside: tuple[Beside, RouteSet] | None = None  # of the conversations that a canary answers
        self._folders = WatchedFolders(settings.state)
        self._table: RouteTable | None = None  # the live one's, or the first while its router is fitted
        self._batching: dict[bool, BatchingRouter] = {}  # of the live set; True: of the one beside it
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
        """How far the set is that is being built, for who waits for it."""
        return f"the router is being fitted ({time.monotonic() - self._began:.0f} s): {self._step}"

    @property
    def building(self) -> bool:
        """Whether a set is being built; the live one answers until then."""
        return self._reloading.locked()

    async def start(self) -> None:
        """Check the routes, then fit the router and watch the files in tasks of our own.

        Raises:
            RoutesRejected: the files can't be used, so there is nothing to start with.
        """
        self._table = await asyncio.to_thread(self._builder.table)
        self._folders.watch([self._table])
        self._begin()
        files = changes(self._settings.router.routes, self._settings.prompts)
        self._tasks = [
            asyncio.create_task(self._reload_quietly(), name="first routes"),
            asyncio.create_task(self._watch(files), name="watch routes"),
            asyncio.create_task(self._watch(self._folders.changes()), name="watch documents"),
        ]

    async def stop(self) -> None:
        """End the tasks and refuse further decisions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for batching in self._batching.values():
            await batching.aclose()

    async def reload(self) -> RouteSet:
        """Build a new set and make it live.

        Raises:
            RoutesRejected: it can't be built; the live one stays.
        """
        async with self._reloading:
            self._begin()
            try:
                moving = self._moving()
                # Minutes at worst, and Ctrl-C does not wait for it.
                live, beside = await in_daemon(partial(self._builder.sets, moving, fresh=True), "fit")
            except RoutesRejected as exc:
                self.problems = tuple(exc.problems)
                raise
            self._adopt(live, moving.beside, beside)
            log.info("%d routes are live: %s", len(live.table.routes), ", ".join(live.table.routes))
            for warning in live.warnings:
                log.warning("%s", warning)
            return live

    @asynccontextmanager
    async def moved(self, wanted: Callable[[], Moving]) -> AsyncGenerator[Callable[[], None]]:
        """Build what is to be in force, and give what makes it so at once; no set changes meanwhile.

        Raises:
            RoutesRejected: it can't be built; nothing changed.
        """
        async with self._reloading:
            self._begin()
            moving = wanted()
            live, beside = await in_daemon(partial(self._builder.sets, moving), "fit")
            yield lambda: self._adopt(live, moving.beside, beside)

    async def trial(self, movers: Movers, texts: Sequence[str]) -> list[Decision]:
        """What the router would decide with ``movers`` in force, each text alone; nothing changes.

        Raises:
            RoutesRejected: they can't be.
        """
        async with self._reloading:
            self._begin()
            found = await in_daemon(partial(self._builder.one, movers), "fit")
        talks = [[{"role": "user", "content": text}] for text in texts]
        return await asyncio.to_thread(found.router.decide_many, talks)

    def _adopt(self, live: RouteSet, beside: Beside | None, theirs: RouteSet | None) -> None:
        """Put the sets in force, between two requests."""
        for place, found in ((False, live), (True, theirs)):
            if found is None:
                continue
            if place in self._batching:
                self._batching[place].swap(found.router)
            else:
                self._batching[place] = BatchingRouter(found.router, lanes())
        self._builder.keep((live,) if theirs is None else (live, theirs))
        self._beside = None if beside is None or theirs is None else (beside, theirs)
        self._live, self._table, self.problems = live, live.table, ()
        self._folders.watch(found.table for found in (live, theirs) if found is not None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the live set says against itself, and what chains of it wait for or do without."""
        if self._live is None:
            return ()
        waiting = {
            f"the route {route.intent!r} is refused: {route.chain.missing}": None
            for route in self._live.table.all()
            if isinstance(route.chain, Waiting) and route.chain.missing is not None
        }
        return (*self._live.warnings, *waiting, *self._folders.warnings)

    @property
    def embedder(self) -> Embedder:
        """The encoder's own vectors.

        Raises:
            NotReady: the encoder is still being loaded, or can't be.
        """
        if self._builder.encoder is None:
            reason = f": {self.problems[0]}" if self.problems else ""
            raise NotReady(f"the encoder is not loaded yet{reason}")
        return self._builder.encoder.embedder

    @property
    def adapters(self) -> frozenset[str]:
        """The aliases that routes answer with."""
        found = [] if self._table is None else [route.adapter for route in self._table.all()]
        return frozenset(alias for alias in found if alias is not None)

    def reasons(self, adapter: str | None) -> bool:
        """Whether a route has ``adapter`` (alias or version; None: the base) reason before it answers."""
        return self._table is not None and self._table.reasons(adapter)

    async def decide(
        self, messages: Sequence[dict[str, Any]], conversation: str = "", brings_tools: bool = False
    ) -> tuple[Decision, Route]:
        """The decision on a conversation, by its key and with tools or without, and the route that it takes.

        Raises:
            NotReady: the first set is still being built, or could not be.
        """
        began = time.perf_counter()
        while True:
            place, live = self._of(conversation)
            if live is None:
                reason = f": {self.problems[0]}" if self.problems else ""
                raise NotReady(f"the router is not fitted yet{reason}")
            decision = await self._batching[place].decide(messages)
            if self._of(conversation) == (place, live):  # else it may be of the old set: ask the new one
                self._observe(time.perf_counter() - began)
                return decision, live.table.route(decision.intent, brings_tools)

    def _of(self, conversation: str) -> tuple[bool, RouteSet | None]:
        """Which set a conversation gets, and whether it is the canary's."""
        if self._beside is not None and self._beside[0].takes(conversation):
            return True, self._beside[1]
        return False, self._live

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
                await in_daemon(partial(warm, name, chain, self._resources(live.router)), "warm")
            self._named[name] = chain
        return self._named[name]

    def _resources(self, router: Router) -> Resources:
        return Resources(router.encoder, self._settings.state)

    def _begin(self) -> None:
        self._tell("reading its examples")
        self._began = time.monotonic()

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

    async def _watch(self, changed: AsyncGenerator[None]) -> None:
        async for _ in changed:
            await self._reload_quietly()
