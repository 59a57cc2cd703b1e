"""``pointsman convert``: the result of a run as something that vLLM serves."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.terminal import err, reported, say
from pointsman.cli.train import line


class Target(StrEnum):
    """What a result becomes."""

    LORA = "lora"
    BASE = "base"


def convert(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="An artefact, such as runs/NAME/artefact.")
    ],
    to: Annotated[Target, typer.Option(help="An adapter, or a base of its own.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the new artefact goes.")],
    *,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Rank of the LoRA; else 16, and all that it takes for pissa.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps, where a LoRA is distilled; else 300.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="The highest, where it is distilled; else 0.003.")
    ] = None,
    max_kl: Annotated[
        float | None, typer.Option(min=0.0, help="Refuse a larger error than this, in nats per token.")
    ] = None,
) -> None:
    """Make a LoRA or a base of a training's result, and measure what that costs on held-out rows.

    Results of cpt, sft, dpo, ppo and grpo are taken; what ppo and grpo have kept out are prompts, and the
    model's own answers to those are measured on.

    Examples:

    - `pointsman convert runs/support/artefact --to lora --rank 32 --out adapters/support --max-kl 0.01`
    - `pointsman convert runs/support/artefact --to base --out bases/support`
    """
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from training.convert import Options
    from training.convert import convert as run
    from training.errors import TrainingError
    from training.run import quieten

    options = Options(rank=rank, steps=steps, learning_rate=learning_rate, max_kl=max_kl)
    quieten()
    with reported(TrainingError, ArtefactError):
        run(result, to.value, out, options, report=line)
    say(str(out))
