"""The options that several commands share, and where the demo lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import pointsman

DEFAULT_URL = "http://127.0.0.1:8000"
DEMO_CONFIG = Path(pointsman.__file__).resolve().parent.parent / "deploy" / "demo" / "pointsman.yaml"

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="POINTSMAN_CONFIG",
        metavar="FILE",
        show_default=False,
        help="The gateway's settings; else the demo's.",
    ),
]
UrlOption = Annotated[
    str, typer.Option("--url", envvar="POINTSMAN_URL", metavar="URL", help="Where the gateway answers.")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="POINTSMAN_API_KEY",
        metavar="KEY",
        show_default=False,
        help="A client's key, if the gateway asks for one.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the gateway's JSON instead of a table.")]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--admin-key-file",
        metavar="FILE",
        show_default=False,
        help="Where the admin key is; else POINTSMAN_ADMIN_KEY, else the state folder of --config.",
    ),
]
