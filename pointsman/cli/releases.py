"""``pointsman releases`` and ``pointsman top``: who is live for every alias, and how they do."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import out, reported

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Board = Mapping[str, Any]


def releases(
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The live and canary versions of every alias: share, requests, failures, seconds, since when.

    `first` and `whole` are mean seconds to a stream's first token and to the end of an answer, since the
    gateway's start.

    The gateway shows the same to a browser at `/admin`, which asks for the admin key.

    Example: `pointsman releases`
    """
    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    with reported(GatewayError):
        board = Desk(url, key_file, config).board()
    if as_json:
        typer.echo(json.dumps(board["data"], ensure_ascii=False, indent=2))
        return
    found = table(board)
    out().print(found if found.rows else "no alias has a live version: pointsman adapters promote ALIAS")


def top(
    *,
    every: Annotated[
        float, typer.Option(min=0.2, max=60, metavar="SECONDS", help="Between two looks.")
    ] = 2.0,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """The same as `releases`, looked at again and again, with requests a second; until Ctrl-C.

    Example: `pointsman top --every 1`
    """
    from rich.console import Group
    from rich.live import Live

    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    desk, looked = Desk(url, key_file, config), 0.0
    before: Board | None = None

    def look() -> RenderableType:
        nonlocal before, looked
        board, now = desk.board(), time.monotonic()
        rates: dict[str, float] = {} if before is None else rates_of(before, board, now - looked)
        before, looked = board, now
        state = f"{url}  engine {board['engine']}, {board['running']} running, {board['waiting']} waiting"
        return Group(state, table(board, rates))

    with reported(GatewayError):
        try:
            with Live(look(), console=out(), auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(look(), refresh=True)
        except KeyboardInterrupt:
            return


def table(board: Board, rates: Mapping[str, float] | None = None) -> Table:
    """What ``/admin/releases`` says, a row a version; ``rates`` are requests a second by alias@version."""
    from rich.table import Table

    found = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    names = ["alias", "version", "share", "asked", "failed", "first", "whole", "since"]
    if rates is not None:
        names.insert(4, "per s")
    for name in names:
        found.add_column(name, no_wrap=name in ("alias", "version", "share", "since"))
    for line in board["data"]:
        cells = [
            *(line["alias"], line["version"]),
            f"{'canary ' if line['role'] == 'canary' else ''}{line['weight']} %",
            *(f"{line['requests']:,}", str(line["failed"])),
            *(_seconds(line["first_token"]), _seconds(line["seconds"])),
            line["since"][5:16].replace("T", " "),
        ]
        if rates is not None:
            rate = rates.get(f"{line['alias']}@{line['version']}")
            cells.insert(4, "" if rate is None else f"{rate:.1f}")
        found.add_row(*cells, style="yellow" if line["role"] == "canary" else "")
    return found


def rates_of(before: Board, after: Board, seconds: float) -> dict[str, float]:
    """Requests a second between two looks, by alias@version; a gateway that began anew counts from 0."""
    were = {(line["alias"], line["version"]): line["requests"] for line in before["data"]}
    found = {}
    for line in after["data"]:
        was = were.get((line["alias"], line["version"]), 0)
        new = line["requests"] - was if line["requests"] >= was else line["requests"]
        found[f"{line['alias']}@{line['version']}"] = new / seconds
    return found


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
