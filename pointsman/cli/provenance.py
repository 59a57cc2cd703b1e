"""``pointsman adapters show`` and ``diff``: where versions come from, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, JsonOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import REFUSED, fail, reported, say

NameArgument = Annotated[str, typer.Argument(metavar="ALIAS@VERSION", help="As `adapters list` names it.")]


def show(
    name: NameArgument,
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where a version comes from and what became of it: manifest, verdict, promotions.

    Example: `pointsman adapters show support@1f0c9a7be2d4`
    """
    found = shown(name, url, config, key_file)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for key, value in flat(found).items():
        say(f"{key}: {_text(value)}")


def diff(
    one: NameArgument,
    other: NameArgument,
    *,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """What two versions differ in: data, recipe, code, libraries, metrics, what moves with them.

    A line with - is the first's, one with + the second's.

    Example: `pointsman adapters diff support@1f0c9a7be2d4 support@90aa31b2c3d4`
    """
    both = [shown(name, url, config, key_file) for name in (one, other)]
    first, second = (flat({key: found.get(key) for key in ("manifest", "moves")}) for found in both)
    changed = [key for key in {**first, **second} if first.get(key) != second.get(key)]
    for key in changed:
        if key in first:
            say(f"- {key}: {_text(first[key])}")
        if key in second:
            say(f"+ {key}: {_text(second[key])}")
    if not changed:
        others = "" if both[0]["version"] == both[1]["version"] else "; their weights differ"
        say(f"their manifests are the same, and so is what moves with them{others}")


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """Every leaf of a JSON value by its dotted path; an empty list or object is a leaf."""
    items: Mapping[Any, Any] | None = None
    if isinstance(value, dict) and value:
        items = value
    elif isinstance(value, list) and value:
        items = dict(enumerate(value))
    if items is None:
        return {at: value}
    return {
        path: leaf
        for key, child in items.items()
        for path, leaf in flat(child, f"{at}.{key}" if at else str(key)).items()
    }


def shown(name: str, url: str, config: Path, key_file: Path | None) -> dict[str, Any]:
    """All that the gateway knows of a version; ends the command where it does not answer."""
    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    alias, at, version = name.partition("@")
    if not at or not version:
        fail(f"{name}: name a version as alias@version; pointsman adapters list shows them", REFUSED)
    with reported(GatewayError):
        return Desk(url, key_file, config).show(alias, version)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
