"""``pointsman train``: one stage of training, from a recipe to an artefact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.terminal import FAILED, INTERRUPTED, err, reported, say

RecipeArgument = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe, for example of deploy/demo.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Another value than the recipe's; may be repeated."),
]
RunsOption = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the folders of runs are.")]


def train(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train what a recipe says; everything about the run is in `runs/NAME`, the result in its `artefact`.

    Killed and started again, a run goes on from its last checkpoint. Several GPUs share a run under
    `accelerate launch`; the configurations in deploy/accelerate say how.

    Examples:

    - `pointsman train deploy/demo/recipes/base.yaml`
    - `pointsman train deploy/demo/recipes/support.yaml --set name=support-2 --set seed=2`
    - `pointsman adapters register runs/support-2/artefact --promote` then serves it
    """
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from training.errors import TrainingError
    from training.run import train as run
    from training.runs.processes import keeps

    try:
        with reported(DocumentError, TrainingError, ArtefactError):
            artefact = _spoken_once(lambda: run(recipe, overrides=overrides or [], runs=runs, report=line))
    except KeyboardInterrupt as exc:
        err().print(f"stopped; {exc}" if exc.args else "stopped, before the run began", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    if keeps():  # one of several processes speaks
        say(str(artefact))


def _spoken_once(work: Callable[[], Path]) -> Path:
    """``work``; an error that another process says too ends this one without a word."""
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from training.errors import TrainingError
    from training.runs.processes import speaks_of

    try:
        return work()
    except (DocumentError, TrainingError, ArtefactError) as exc:
        if speaks_of(exc):
            raise
        raise typer.Exit(FAILED) from None


def line(text: str) -> None:
    """Plain lines: training draws its own bar."""
    err().print(text, markup=False, soft_wrap=True)
