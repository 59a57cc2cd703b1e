"""``pointsman check``: whether settings can be served, or a recipe trained, without starting anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.options import DEMO_CONFIG
from pointsman.cli.terminal import err, out, reported, say
from pointsman.cli.train import SetOption, line


def check(
    config: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway's settings, or a recipe.")
    ] = DEMO_CONFIG,
    overrides: SetOption = None,
) -> None:
    """Read settings with their routes and prompts, or a recipe with its data, and say all that is wrong.

    Of a recipe it says too how the result is served, and what the training will need.

    Examples:

    - `pointsman check` reads the demo's settings
    - `pointsman check deploy/examples/qwen3-8b.yaml`
    - `pointsman check deploy/demo/recipes/support.yaml`
    """
    from pointsman.document import DocumentError, Problem

    with reported(DocumentError):
        if _is_recipe(config):
            _check_recipe(config, overrides or [])
            return
        if overrides:
            raise DocumentError(config, [Problem(None, "", "--set is for recipes, and this is none")])
    _check_settings(config)


def _is_recipe(path: Path) -> bool:
    """A recipe has a stage; settings have none."""
    from pointsman import document

    text = document.read(path)
    content = document.plain(text, path)
    return isinstance(content, dict) and "stage" in content


def _check_recipe(path: Path, overrides: list[str]) -> None:
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from training.errors import TrainingError
    from training.outlook import check as outlook
    from training.run import quieten

    quieten()
    with reported(TrainingError, ArtefactError):
        found = outlook(path, overrides, line)
    for text in found.lines:
        say(text)
    say(f"{path}: no problems")


def _check_settings(config: Path) -> None:
    from service.configuration import load_configuration
    from service.errors import ConfigurationRejected

    with reported(ConfigurationRejected):
        settings, table = load_configuration(config)
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
