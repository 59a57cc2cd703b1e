"""``pointsman adapters list`` and ``check``: versions and artefacts are looked at, nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.adapters import FolderArgument, desk
from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import out, reported, say


def list_versions(
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every version in the registry: the live ones with their share of conversations, loaded, retired.

    Example: `pointsman adapters list --json`
    """
    from rich import box
    from rich.table import Table

    from pointsman.cli.gateway import GatewayError

    with reported(GatewayError):
        versions = desk(url, key_file, config).versions()
    if as_json:
        typer.echo(json.dumps(versions, ensure_ascii=False, indent=2))
        return
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("alias", "version", "state", "share", "in use", "rank", "registered"):
        table.add_column(name, no_wrap=name != "alias", overflow="fold")
    for version in versions:
        live = version["state"] == "live"
        table.add_row(
            version["alias"],
            version["version"],
            f"[bold green]{version['state']}[/]" if live else version["state"],
            f"{version['weight']} %" if live else "",
            str(version["leases"]),
            str(version["rank"]),
            str(version["created"])[:16].replace("T", " "),
        )
    out().print(table if versions else "no adapter is registered: pointsman adapters register FOLDER")


def check(
    folder: FolderArgument,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Check here, for the base of --config; no gateway is needed.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Make all checks on an artefact and change nothing.

    Examples:

    - `pointsman adapters check deploy/demo/adapters/support`
    - `pointsman adapters check runs/support-60-days/artefact --offline`
    """
    from pointsman.artefact import ArtefactError, version_of
    from pointsman.cli.desk import placed
    from pointsman.cli.gateway import GatewayError
    from pointsman.document import DocumentError

    if offline:
        version, rank = _check_here(folder, config)
        say(f"{folder}: version {version}, rank {rank}; every check passed")
        return
    with reported(GatewayError, DocumentError, ArtefactError, OSError), placed(folder, config) as name:
        desk(url, key_file, config).check(name)
    say(f"{folder}: version {version_of(folder)}; every check passed")


def _check_here(folder: Path, config: Path) -> tuple[str, int]:
    """Version and rank of an artefact that passes every check for the base of ``config``."""
    from pointsman.cli.desk import as_typed
    from pointsman.document import DocumentError
    from service.adapters.base import read_base
    from service.adapters.checks import check as examine
    from service.errors import AdapterError, AdapterRejected
    from service.settings import Settings

    with reported(DocumentError, AdapterError):
        settings = Settings.load(config)
        base = read_base(settings.engine, settings.state)
        here = folder.resolve()
        try:
            trusted = settings.adapters.trusted_keys
            checked = examine(here.parent, here.name, base, settings.engine.max_lora_rank, trusted)
        except AdapterRejected as exc:
            raise AdapterRejected([as_typed(problem, here.name, folder) for problem in exc.problems]) from exc
    return checked.version, checked.rank
