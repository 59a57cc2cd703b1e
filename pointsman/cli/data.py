"""``pointsman data``: what a recipe's model would learn from."""

from __future__ import annotations

from typing import Annotated

import typer

from pointsman.cli.train import RecipeArgument, SetOption

app = typer.Typer(help="Look at training data.", no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def data() -> None:
    """Look at training data as the model will see it."""


@app.command()
def preview(
    recipe: RecipeArgument,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 3,
    overrides: SetOption = None,
) -> None:
    """Print real rows of a recipe, rendered as for training, with the trained tokens coloured.

    Example: `pointsman data preview deploy/demo/recipes/support.yaml --rows 2`
    """
