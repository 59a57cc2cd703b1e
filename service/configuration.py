"""Settings and the routes that they name, read as one: all that is wrong in either comes in one report."""

from __future__ import annotations

from pathlib import Path

from pointsman.document import DocumentError, problem_lines
from service.errors import ConfigurationRejected, RoutesRejected
from service.routes import RouteTable, load_table
from service.sections import LimitSettings
from service.settings import Settings


def load_configuration(path: Path) -> tuple[Settings, RouteTable]:
    """The settings in ``path`` and the table of the routes and prompts that they name; blocks.

    Raises:
        ConfigurationRejected: with everything that is wrong in the settings, the routes and the prompts.
    """
    problems: list[str] = []
    settings: Settings | None = None
    try:
        settings = Settings.load(path)
    except DocumentError as exc:
        problems += problem_lines(exc)
    limits = LimitSettings() if settings is None else settings.limits
    routes, prompts = Settings.routes_and_prompts(path)
    table: RouteTable | None = None
    if routes is not None:
        try:
            table = load_table(routes, prompts, limits)
        except RoutesRejected as exc:
            problems += exc.problems
    if problems or settings is None or table is None:
        raise ConfigurationRejected(problems)
    return settings, table
