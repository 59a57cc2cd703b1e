"""``pointsman adapters``: every change of the adapter versions of a running gateway.

What only looks at them is in ``pointsman.cli.inspection`` and ``pointsman.cli.provenance``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import REFUSED, Progress, fail, reported, say

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

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="An artefact, as `pointsman train` writes it.")
]


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
        at = desk(url, key_file, config)
        report(f"checking {folder}")
        version = at.register(alias or read_manifest(folder).alias, name)
        if promote:
            report(f"loading and probing {version['name']}")
            version = at.promote(version["alias"], version["version"], 100)
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
        at = desk(url, key_file, config)
        version = version or at.newest(alias)
        report(f"loading and probing {alias}@{version}")
        promoted = at.promote(alias, version, weight)
    _tell(promoted)


@app.command()
def rollback(
    alias: Annotated[
        str,
        typer.Argument(metavar="ALIAS", help="An alias; or alias@version, if that is who must be taken out."),
    ],
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Take the newest live version out of traffic, whatever its share, and go back to the one before it.

    Examples:

    - `pointsman adapters rollback support`
    - `pointsman adapters rollback support@1f0c9a7be2d4` changes nothing if another version is the newest
    """
    from pointsman.cli.gateway import GatewayError

    alias, version = _named(alias, None)
    with reported(GatewayError), Progress() as report:
        report(f"going back with {alias}")
        found = desk(url, key_file, config).rollback(alias, version)
    _tell(found)


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
        retired = desk(url, key_file, config).retire(alias, version)
    _tell(retired)


def desk(url: str, key_file: Path | None, config: Path) -> Desk:
    """The admin API of the gateway at ``url``."""
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
