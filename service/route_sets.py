"""Whole sets of routes, each with its router: built from the files and from what moves with live versions."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chains.errors import ChainError
from chains.registry import warm
from chains.resources import Resources
from router.encoding.encoder import Encoder
from router.encoding.memory import RememberingEncoder
from router.errors import RouterError
from router.learning.report import messages
from router.router import Router
from service.errors import RoutesRejected
from service.moving import Movers, Moving
from service.routes import RouteTable, load_table
from service.settings import Settings

_SETS = 4  # in memory, of which two are in force at most
_FITTED = 3  # routers on the disk, beside the one of the files alone


@dataclass(frozen=True, eq=False)
class RouteSet:
    """A table, the router that was fitted on its examples, and what both say against them."""

    table: RouteTable
    router: Router
    warnings: tuple[str, ...]
    movers: Movers = ()  # what was laid over the files


class Builder:
    """Builds sets. Everything blocks, for minutes at worst, and one thread at a time may use it."""

    def __init__(
        self, settings: Settings, load: Callable[..., Encoder], tell: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._load = load
        self._tell = tell
        self.encoder: Encoder | None = None  # once it is loaded
        self._kept: tuple[RouteSet, ...] = ()  # that may be wanted again soon, those in force too

    def table(self, movers: Movers = ()) -> RouteTable:
        """The table alone.

        Raises:
            RoutesRejected
        """
        settings = self._settings
        try:
            return load_table(settings.router.routes, settings.prompts, settings.limits, movers)
        except RoutesRejected as exc:
            raise _told(exc.problems, movers) from exc

    def sets(self, moving: Moving, *, fresh: bool = False) -> tuple[RouteSet, RouteSet | None]:
        """The sets that are to be in force; ``fresh`` reads the files again, whatever is kept.

        Raises:
            RoutesRejected
        """
        found = self._build(moving.stable) if fresh else self.one(moving.stable)
        if moving.beside is None:
            return found, None
        movers = moving.beside.movers
        return found, self._build(movers, found) if fresh else self.one(movers)

    def one(self, movers: Movers) -> RouteSet:
        """The set with these; kept from now on.

        Raises:
            RoutesRejected
        """
        found = next((one for one in self._kept if one.movers == movers), None) or self._build(movers)
        self._kept = (found, *(one for one in self._kept if one is not found))[:_SETS]
        return found

    def keep(self, chosen: Sequence[RouteSet]) -> None:
        """These are in force now. What was before them is kept where something moves: going back is quick.

        What was built from other files is not.
        """
        new = any(one not in self._kept for one in chosen)
        before = () if new else tuple(one for one in self._kept if one not in chosen)
        moves = any(one.movers for one in (*chosen, *before))
        self._kept = (*chosen, *before)[:_SETS] if moves else tuple(chosen)

    def _build(self, movers: Movers, *known: RouteSet) -> RouteSet:
        """A set from the files as they are now; a router that learned the same is taken."""
        table = self.table(movers)
        try:
            router = self._router(table, movers, (*known, *self._kept))
            for route in table.all():
                warm(route.chain_name, route.chain, Resources(router.encoder, self._settings.state))
        except (RouterError, ChainError, OSError) as exc:
            raise _told([f"{self._settings.router.routes}: {exc}"], movers) from exc
        warnings = messages(table.policy.warnings(table.examples, router.report.warnings))
        return RouteSet(table, router.under(table.policy), warnings, movers)

    def _router(self, table: RouteTable, movers: Movers, known: Sequence[RouteSet]) -> Router:
        same = (one.router for one in known if one.table.examples.digest == table.examples.digest)
        if (router := next(same, None)) is not None:
            return router
        folder = self._settings.state / "router"
        self._tell("loading its encoder")
        self.encoder = self.encoder or self._load(self._settings.router.encoder, folder)
        if not movers:
            return Router.fit_or_load(table.examples, self.encoder, folder, self._tell)
        remembering = RememberingEncoder(self.encoder, folder)  # what the files' own router has encoded
        own = folder / "moved" / table.examples.digest[:16]
        router = Router.fit_or_load(table.examples, remembering, own, self._tell)
        own.touch()
        others = sorted(own.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in others[_FITTED:]:
            shutil.rmtree(old, ignore_errors=True)
        return Router(router.model, router.report, self.encoder, router.fingerprint)


def _told(problems: Sequence[str], movers: Movers) -> RoutesRejected:
    if not movers:
        return RoutesRejected(list(problems))
    names = ", ".join(mover.name for mover in movers)
    return RoutesRejected([f"with what moves with {names}: {problem}" for problem in problems])
