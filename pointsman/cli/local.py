"""The router of a configuration, fitted here: for commands that explain routing without a gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pointsman.document import DocumentError
from router.encoder import Encoder
from router.errors import RouterError
from router.router import Router
from service.errors import RoutesRejected
from service.routes import RouteTable, load_table
from service.settings import Settings

LOCAL_ERRORS = (DocumentError, RouterError, RoutesRejected)


def local_router(config: Path, report: Callable[[str], object]) -> tuple[RouteTable, Router]:
    """The routes that ``config`` names and a router fitted on their examples.

    Raises:
        DocumentError, RoutesRejected: a file can't be used.
        RouterError: the encoder can't be.
    """
    settings = Settings.load(config)
    table = load_table(settings.router.routes, settings.prompts, settings.limits)
    report(f"loading the encoder ({settings.router.encoder})")
    folder = settings.state / "router"
    encoder = Encoder.load(settings.router.encoder, folder)
    report(f"fitting the router on {sum(map(len, table.examples.intents.values()))} examples")
    return table, Router.fit_or_load(table.examples, encoder, folder).under(table.policy)
