"""The router of a configuration, fitted here: for commands that explain routing without a gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from router.encoding.encoder import Encoder
from router.errors import RouterError
from router.router import Router
from service.configuration import load_configuration
from service.errors import ConfigurationRejected
from service.routes import RouteTable

LOCAL_ERRORS = (ConfigurationRejected, RouterError)


def local_router(config: Path, report: Callable[[str], object]) -> tuple[RouteTable, Router]:
    """The routes that ``config`` names and a router fitted on their examples.

    Raises:
        ConfigurationRejected: a file can't be used.
        RouterError: the encoder can't be.
    """
    settings, table = load_configuration(config)
    report(f"loading the encoder ({settings.router.encoder})")
    folder = settings.state / "router"
    encoder = Encoder.load(settings.router.encoder, folder)
    report(f"fitting the router on {sum(map(len, table.examples.intents.values()))} examples")
    return table, Router.fit_or_load(table.examples, encoder, folder).under(table.policy)
