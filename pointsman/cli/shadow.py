"""``pointsman adapters shadow``: a candidate answers along, unseen, and its answers are compared."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import reported, say


def shadow(
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="Whose conversations.")],
    *,
    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", show_default=False, help="The candidate; else the report."),
    ] = None,
    share: Annotated[int, typer.Option(min=0, max=100, help="Percent of the conversations; 0 ends it.")] = 10,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a candidate answer a share of an alias's conversations too, shown to nobody; or tell how it did.

    Equal answers need a temperature of 0 in requests or routes. Routes with tools of the server's are left
    out, because they would be called twice. It lasts until the gateway stops, or the share is 0.

    Examples:

    - `pointsman adapters shadow support --version 1f0c9a7be2d4 --share 20`
    - `pointsman adapters shadow support`
    """
    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    with reported(GatewayError):
        desk = Desk(url, key_file, config)
        found = desk.shadowed(alias) if version is None else desk.shadow(alias, version, share)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    name = f"{alias}@{found['version']}"
    say(f"{name} is asked along for {found['share']} % of the conversations")
    say(
        f"{found['same']} answers the same, {found['different']} different, {found['failed']} failed, "
        f"{found['left_out']} left out"
    )
    if found["seconds"] is not None:
        say(f"{found['seconds']:.2f} s an answer, {found['live_seconds']:.2f} s the live version")
    for difference in found["differences"]:
        say(f"request {difference['request']}, beside {difference['live']}")
        for who, text in difference.get("texts", {}).items():
            say(f"  {who}: {_text(text)}")


def _text(message: dict[str, Any]) -> str:
    calls = [one["function"] for one in message.get("tool_calls") or ()]
    called = [f"{one['name']} {one['arguments']}" for one in calls]
    return " ".join([str(message.get("content") or ""), *called]).strip()
