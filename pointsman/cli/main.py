"""The ``pointsman`` command: what it can do, and nothing of how.

Every command imports what it needs when it runs, so that ``pointsman --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pointsman.cli import (
    adapters,
    bench,
    check,
    convert,
    data,
    evaluate,
    inspection,
    provenance,
    push,
    release,
    releases,
    reproduce,
    route,
    router,
    serve,
    shadow,
    signing,
    train,
)
from pointsman.cli.terminal import err

HELP = """
One base model, many jobs: train LoRA adapters, prove them, route to them and hot-swap them on one vLLM.

**Examples**

- `pointsman serve` serves the demo on 127.0.0.1:8000
- `pointsman route "Where is my parcel?"` explains which track a request takes
- `pointsman train deploy/demo/recipes/support.yaml` trains an adapter
- `pointsman release deploy/demo/releases/support-60-days.yaml` trains, judges and promotes one
- `pointsman adapters list` shows the versions that are live, loaded and registered
- `pointsman bench --model support --concurrency 16` measures the running gateway under load
- `pointsman eval demo` scores held-out requests through the running gateway
"""

app = typer.Typer(
    name="pointsman",
    help=HELP,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("route")(route.route)
app.command("bench")(bench.bench)
app.command("train")(train.train)
app.command("convert")(convert.convert)
app.command("release")(release.release)
app.command("releases")(releases.releases)
app.command("top")(releases.top)
app.add_typer(data.app, name="data")
adapters.app.command("list")(inspection.list_versions)
adapters.app.command("check")(inspection.check)
adapters.app.command("show")(provenance.show)
adapters.app.command("diff")(provenance.diff)
adapters.app.command("push")(push.push)
adapters.app.command("reproduce")(reproduce.reproduce)
adapters.app.command("shadow")(shadow.shadow)
adapters.app.command("key")(signing.key)
adapters.app.command("sign")(signing.sign)
app.add_typer(adapters.app, name="adapters")
app.add_typer(router.app, name="router")
app.add_typer(evaluate.app, name="eval")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pointsman {version('pointsman')}")
        raise typer.Exit


@app.callback()
def pointsman(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command; an error nobody expected is one line too, with the way to its traceback."""
    try:
        app()
    except Exception as exc:
        if os.environ.get("POINTSMAN_TRACEBACK"):
            raise
        if _interrupted(exc):
            sys.exit(130)  # as shells count it
        err().print("[bold red]error:[/] ", end="")
        err().print(f"{type(exc).__name__}: {exc}", markup=False, soft_wrap=True)
        err().print("this is a fault in Pointsman; POINTSMAN_TRACEBACK=1 shows where", style="dim")
        sys.exit(70)


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C came first: what was cleaned up after it may stumble over what had only half begun."""
    context: BaseException | None = error
    while context is not None and not isinstance(context, KeyboardInterrupt):
        context = context.__context__
    return context is not None
