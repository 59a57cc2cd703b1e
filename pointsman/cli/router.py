"""``pointsman router``: what production says about the routes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import DEMO_CONFIG, ConfigOption
from pointsman.cli.terminal import Progress, fail, out, reported, say

if TYPE_CHECKING:
    from router.judging.suggestion import Suggestion

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def router() -> None:
    """Make the routes better from what users ask."""


@app.command()
def suggest(
    config: ConfigOption = DEMO_CONFIG,
    *,
    count: Annotated[int, typer.Option(min=1, help="Suggestions at most.")] = 20,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE.jsonl", show_default=False, help="Add them to this file, to be corrected."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Propose examples from the requests that the router was unsure of, one of each kind.

    The gateway must have logged texts: `router: {decision_log: texts}` in its settings. Each suggestion has
    the router's guess; correct it, and name the file under `example_files` in the routes.

    Examples:

    - `pointsman router suggest --count 10`
    - `pointsman router suggest --config my.yaml --out more.jsonl`
    """
    from pointsman.cli.local import LOCAL_ERRORS, local_router
    from router.judging.suggestion import suggest as suggestions
    from service.kept.decisions import FILE, logged_texts
    from service.settings import Settings

    with reported(*LOCAL_ERRORS, OSError), Progress() as report:
        settings = Settings.load(config)
        texts, decisions = logged_texts(settings.state)
        if texts:
            _, fitted = local_router(config, report)
            report(f"deciding on {len(texts)} texts")
            found = suggestions(texts, fitted, count)
    if not texts:
        log = settings.state / FILE
        problem = f"{log} holds {decisions} decisions and no text" if decisions else f"no decisions in {log}"
        fail(f"{problem}; set `router: {{decision_log: texts}}` in {config} and serve requests with auto")
    if out_file is not None:
        rows = [{"text": one.text, "intent": one.intent} for one in found]
        with reported(OSError), out_file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    _show(found, len(texts), out_file)


def _show(found: list[Suggestion], texts: int, out_file: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    if not found:
        say(f"the router is sure of all {texts} texts")
        return
    table = Table("asked", "text", "guess", "confidence", "or", box=None, padding=(0, 2, 0, 0))
    for one in found:
        guess = one.intent or "out of scope"
        table.add_row(str(one.asked), Text(one.text), guess, f"{one.confidence:.2f}", one.second or "")
    out().print(table)
    if out_file is not None:
        say(f"{len(found)} rows added to {out_file}; correct their intents before the routes name it")
