"""``pointsman releases``: who is live for every alias, and how they do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import out, reported


@dataclass(frozen=True, slots=True)
class Line:
    """One live version."""

    alias: str
    version: str
    role: str  # live, or canary
    weight: int  # percent of the alias's conversations
    requests: int  # since the gateway's start
    failed: int
    seconds: float | None  # mean of a whole answer; None: no request yet
    since: str


def releases(
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """The live and canary versions of every alias: share, requests, failures, seconds, since when.

    Example: `pointsman releases`
    """
    from rich import box
    from rich.table import Table

    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    with reported(GatewayError):
        desk = Desk(url, key_file, config)
        lines = lines_of(desk.versions(), desk.metrics())
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=2))
        return
    table = Table(box=box.SIMPLE, padding=(0, 1))
    for name in ("alias", "version", "role", "share", "requests", "failed", "seconds", "since"):
        table.add_column(name, no_wrap=name == "version")
    for line in lines:
        table.add_row(
            line.alias,
            line.version,
            line.role,
            f"{line.weight} %",
            f"{line.requests:,}",
            str(line.failed),
            "" if line.seconds is None else f"{line.seconds:.2f}",
            line.since[:16].replace("T", " "),
        )
    out().print(table if lines else "no alias has a live version: pointsman adapters promote ALIAS")


def lines_of(versions: Sequence[Mapping[str, Any]], exposition: str) -> list[Line]:
    """The live versions with what the gateway's ``/metrics`` counts of them, primaries before canaries."""
    from training.release.watch import Count, counts

    counted = counts(exposition)
    live = [version for version in versions if version["state"] == "live"]
    live.sort(key=lambda version: (version["alias"], version["canary"]))
    found = []
    for version in live:
        count = counted.get(version["name"], Count())
        found.append(
            Line(
                version["alias"],
                version["version"],
                "canary" if version["canary"] else "live",
                version["weight"],
                count.requests,
                count.failed,
                count.seconds / count.requests if count.requests else None,
                str(version["live_since"]),
            )
        )
    return found
