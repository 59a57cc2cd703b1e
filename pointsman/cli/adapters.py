"""``pointsman adapters``: the adapter versions of a running gateway, and a check that needs none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import REFUSED, Progress, fail, out, reported, say

if TYPE_CHECKING:
    from pointsman.cli.desk import Desk

app = typer.Typer(
    help="""
Check, register, promote and take back adapter versions; nothing restarts and no request is lost.

**Examples**

- `pointsman adapters list`
- `pointsman adapters register runs/support-60-days/artefact`
- `pointsman adapters promote support`
- `pointsman adapters rollback support`
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

AliasArgument = Annotated[str, typer.Argument(metavar="ALIAS", help="The name that clients and routes use.")]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="An artefact, as `pointsman train` writes it.")
]


@app.command("list")
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
        versions = _desk(url, key_file, config).versions()
    if as_json:
        typer.echo(json.dumps(versions, ensure_ascii=False, indent=2))
        return
    table = Table(box=box.SIMPLE, padding=(0, 1))
    for name in ("alias", "version", "state", "share", "in use", "rank", "registered"):
        table.add_column(name, no_wrap=name == "version")
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


@app.command()
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
        _desk(url, key_file, config).check(name)
    say(f"{folder}: version {version_of(folder)}; every check passed")


@app.command()
def register(
    folder: FolderArgument,
    *,
    alias: Annotated[
        str | None,
        typer.Option(metavar="ALIAS", show_default=False, help="Another alias than its manifest's."),
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Make it live at once.")] = False,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Check an artefact and enter it in the registry as a new version of its alias.

    The gateway keeps a copy, so the folder may be trained into again or removed.

    Example: `pointsman adapters register runs/support-60-days/artefact --promote`
    """
    from pointsman.artefact import ArtefactError, read_manifest
    from pointsman.cli.desk import placed
    from pointsman.cli.gateway import GatewayError
    from pointsman.document import DocumentError

    errors = (GatewayError, DocumentError, ArtefactError, OSError)
    with reported(*errors), placed(folder, config) as name, Progress() as report:
        desk = _desk(url, key_file, config)
        report(f"checking {folder}")
        version = desk.register(alias or read_manifest(folder).alias, name)
        if promote:
            report(f"loading and probing {version['name']}")
            version = desk.promote(version["alias"], version["version"], 100)
    _tell(version)
    if not promote:
        say(f"give it requests: pointsman adapters promote {version['name']}")


@app.command()
def promote(
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="An alias, or alias@version.")],
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]", show_default=False, help="Else the one that was registered last."
        ),
    ] = None,
    *,
    weight: Annotated[
        int, typer.Option(min=0, max=100, help="Percentage of conversations; under 100 it is a canary.")
    ] = 100,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Load a version, probe that it has an effect, and give it requests; the old one drains.

    Examples:

    - `pointsman adapters promote support` takes the version that was registered last
    - `pointsman adapters promote support 1f0c9a7be2d4 --weight 10`
    """
    from pointsman.cli.gateway import GatewayError

    alias, version = _named(alias, version)
    with reported(GatewayError), Progress() as report:
        desk = _desk(url, key_file, config)
        version = version or desk.newest(alias)
        report(f"loading and probing {alias}@{version}")
        promoted = desk.promote(alias, version, weight)
    _tell(promoted)


@app.command()
def rollback(
    alias: AliasArgument,
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Take the newest live version out of traffic, whatever its share, and go back to the one before it.

    Example: `pointsman adapters rollback support`
    """
    from pointsman.cli.gateway import GatewayError

    with reported(GatewayError), Progress() as report:
        report(f"going back with {alias}")
        version = _desk(url, key_file, config).rollback(alias)
    _tell(version)


@app.command()
def retire(
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="An alias, or alias@version.")],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", show_default=False)] = None,
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Take a version out of service once nobody uses it.

    Example: `pointsman adapters retire support@1f0c9a7be2d4`
    """
    from pointsman.cli.gateway import GatewayError

    alias, version = _named(alias, version)
    if version is None:
        fail(f"which version of {alias}? pointsman adapters list shows them", REFUSED)
    with reported(GatewayError):
        retired = _desk(url, key_file, config).retire(alias, version)
    _tell(retired)


def _desk(url: str, key_file: Path | None, config: Path) -> Desk:
    from pointsman.cli.desk import Desk

    return Desk(url, key_file, config)


def _tell(version: Mapping[str, Any]) -> None:
    share = f", {version['weight']} % of conversations" if version["state"] == "live" else ""
    say(f"[bold]{version['name']}[/] is {version['state']}{share}", markup=True)


def _named(alias: str, version: str | None) -> tuple[str, str | None]:
    """Alias and version, of which the one may carry the other as ``alias@version``."""
    alias, _, digits = alias.partition("@")
    named, at, last = (version or "").rpartition("@")
    if at and named != alias:
        fail(f"{version} is a version of {named}, not of {alias}", REFUSED)
    return alias, last or digits or None


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
            checked = examine(here.parent, here.name, base, settings.engine.max_lora_rank)
        except AdapterRejected as exc:
            raise AdapterRejected([as_typed(problem, here.name, folder) for problem in exc.problems]) from exc
    return checked.version, checked.rank
