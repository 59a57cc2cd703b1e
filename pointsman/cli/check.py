"""``pointsman check``: whether settings, routes and prompts can be served, without starting anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.options import DEMO_CONFIG
from pointsman.cli.terminal import out, reported, say


def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The gateway's settings.")] = DEMO_CONFIG,
) -> None:
    """Read the settings, routes and prompts, and say everything that is wrong in them.

    Examples:

    - `pointsman check` reads the demo's
    - `pointsman check deploy/examples/qwen3-8b.yaml`
    """
    from pointsman.document import DocumentError
    from service.errors import RoutesRejected
    from service.routes import load_table
    from service.settings import Settings

    with reported(DocumentError, RoutesRejected):
        settings = Settings.load(config)
        table = load_table(settings.router.routes, settings.prompts, settings.limits)
    from rich.table import Table

    shown = Table("intent", "prompt", "chain", "adapter", "tools", title=str(config), title_justify="left")
    for route in table.all():
        prompt = f"{route.prompt.name}@{route.prompt.version}" if route.prompt else "none"
        shown.add_row(
            route.intent, prompt, route.chain_name, route.adapter or "the base", ", ".join(route.tools)
        )
    out().print(shown)
    engine = ", ".join(settings.engine.urls) or f"vLLM with {settings.engine.model}"
    say(f"served by {engine} as {settings.engine.model_name}: no problems")
