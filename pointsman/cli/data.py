"""``pointsman data``: what a recipe's model would learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.terminal import err, out, reported, say
from pointsman.cli.train import RecipeArgument, RunsOption, SetOption

if TYPE_CHECKING:
    from training.preview import PreviewRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def data() -> None:
    """Look at training data as the model will see it."""


@app.command()
def preview(
    recipe: RecipeArgument,
    rows: Annotated[int, typer.Option(min=1, help="How many rows of each source.")] = 3,
    overrides: SetOption = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Print real rows of a recipe, rendered as for training, with the trained tokens coloured.

    Example: `pointsman data preview deploy/demo/recipes/support.yaml --rows 1`
    """
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from training.errors import TrainingError
    from training.preview import preview as rows_of

    shown = trained = tokens = 0
    with reported(DocumentError, TrainingError, ArtefactError):
        for row in rows_of(recipe, rows, overrides=overrides or [], runs=runs):
            _show(row)
            shown, trained, tokens = shown + 1, trained + row.trained, tokens + row.tokens
    say(f"{shown} rows, {tokens} tokens, {trained} of them trained (green; [[so]] without colours)")


def _show(row: PreviewRow) -> None:
    from rich.text import Text

    console = out()
    note = ", too long" if row.too_long else ""
    number = f"row {row.number}" + (f" {row.answer}" if row.answer else "")
    heading = f"{row.source}, {number}: {row.tokens} tokens, {row.trained} trained{note}"
    console.print(heading, style="bold", markup=False, soft_wrap=True)
    text = Text()
    for span in row.spans:
        if not span.trained:
            text.append(span.text, style="dim")
        elif console.color_system:
            text.append(span.text, style="green")
        else:  # a log, or a pipe
            text.append(f"[[{span.text}]]")
    console.print(text, soft_wrap=True)
    console.print()
