"""``pointsman eval``: how good the running demo is, how good a served model, and how good a router."""

from __future__ import annotations

import typer

from pointsman.cli.evaluate_demo import demo
from pointsman.cli.evaluate_model import model
from pointsman.cli.evaluate_router import router

app = typer.Typer(
    help="""
Score what is served against cases that training never saw.

**Examples**

- `pointsman eval demo` — 100 held-out cases of every intent and language, through the running gateway
- `pointsman eval demo --count 20 --intent arithmetic --language zh --failures 3`
- `pointsman eval model support --against pointsman-demo` — loss, tool calls, preferences of a served model
- `pointsman eval router` — cross-fitted recall of the routes' own examples
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for command in (demo, model, router):
    app.command()(command)
