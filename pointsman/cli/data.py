"""``pointsman data``: what a recipe's model would learn from, and rows that a teacher makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.options import DEMO_CONFIG, ConfigOption
from pointsman.cli.terminal import INTERRUPTED, Progress, err, out, reported, say
from pointsman.cli.train import RecipeArgument, RunsOption, SetOption, line

if TYPE_CHECKING:
    from training.preflight.preview import PreviewRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def data() -> None:
    """Look at training data as the model will see it, or have a teacher make some."""


@app.command()
def preview(
    recipe: RecipeArgument,
    rows: Annotated[int, typer.Option(min=1, help="How many rows of each source.")] = 3,
    overrides: SetOption = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Print real rows of a recipe, rendered as for training, with the trained tokens coloured.

    Then the rest is read as by a run, of a generator up to 5,000 rows, to tell how many are dropped and why.

    Example: `pointsman data preview deploy/demo/recipes/support.yaml --rows 1`
    """
    err().print("loading the training libraries", style="dim")
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from training.errors import TrainingError
    from training.preflight.preview import counted
    from training.preflight.preview import preview as rows_of
    from training.run import quieten

    quieten()
    shown = trained = tokens = 0
    with reported(DocumentError, TrainingError, ArtefactError):
        for row in rows_of(recipe, rows, overrides=overrides or [], runs=runs):
            _show(row)
            shown, trained, tokens = shown + 1, trained + row.trained, tokens + row.tokens
        rows_shown = "1 row" if shown == 1 else f"{shown} rows"
        say(f"{rows_shown}, {tokens} tokens, {trained} of them trained (green; [[so]] without colours)")
        err().print("reading on, to tell how many rows are dropped", style="dim")
        for text in counted(recipe, line, overrides=overrides or []):
            say(text)


@app.command()
def build(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="What is built, for example of deploy/demo/builds.")
    ],
    *,
    teacher: Annotated[
        str | None, typer.Option(metavar="URL", show_default=False, help="Another address than the plan's.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="POINTSMAN_API_KEY", metavar="KEY", show_default=False, help="The teacher's."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Questions at a time.")] = 4,
    runs: RunsOption = Path("runs"),
) -> None:
    """Have a teacher make ReAct or chain-of-thought rows, keep those that pass the rules, and count the rest.

    The teacher is any OpenAI-compatible server. Stopped and started again, a build goes on where it was. The
    rows in `runs/NAME/rows.jsonl` are a source of sft, `format: messages`.

    Examples:

    - `pointsman data build deploy/demo/builds/sums.yaml`
    - `pointsman data build deploy/demo/builds/parcels.yaml --teacher http://10.0.0.7:8000 --concurrency 16`
    """
    from chains.errors import ChainError
    from chains.tools import tool_by_name
    from pointsman import document
    from pointsman.document import DocumentError
    from training.building.build import build as run
    from training.building.plan import BuildPlan
    from training.errors import TrainingError

    try:
        with reported(DocumentError, TrainingError, ChainError), Progress() as report:
            wanted = document.load(BuildPlan, plan)
            if teacher is not None:
                changed = wanted.teacher.model_copy(update={"url": teacher})
                wanted = wanted.model_copy(update={"teacher": changed})
            tools = {name: tool_by_name(name) for name in wanted.tools}
            folder = runs / wanted.name
            found = run(wanted, folder, tools, concurrency=concurrency, api_key=api_key, report=report)
    except KeyboardInterrupt:
        err().print("stopped; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from None
    share = found.rows / found.questions
    say(f"{found.rows} rows of {found.questions} questions ({share:.0%}), from {found.tries} tries:")
    for reason, count in found.reasons.items():
        say(f"  {count:5} {reason}")
    if found.duplicates:
        say(f"  {found.duplicates:5} kept, but the same as another row")
    say(f"{folder / 'rows.jsonl'}")


@app.command("from-feedback")
def from_feedback(
    *,
    alias: Annotated[str, typer.Option(help="Whose answers are taken.")],
    config: ConfigOption = DEMO_CONFIG,
    out_folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="For the rows; else runs/feedback-ALIAS.")
    ] = None,
) -> None:
    """Make preference pairs and SFT rows of the answers that users rated, the start of the next release.

    Needs `feedback: {keep: texts}` in the gateway's settings. `pairs.jsonl` is a source of dpo, `format:
    pairs`; `rows.jsonl` one of sft, `format: messages`.

    Example: `pointsman data from-feedback --alias support`
    """
    from pointsman.document import DocumentError
    from service.kept.feedback import FILE
    from service.kept.own_file import lines_of
    from service.settings import Settings
    from training.building.rated import OTHER, rows_of

    with reported(DocumentError, OSError):
        log = Settings.load(config).state / FILE
        found = rows_of(lines_of(log), alias)
        if not found.ratings:
            err().print(f"{log} holds no rating; settings with `feedback: {{keep: texts}}` have them kept")
            raise typer.Exit(1)
        if found.dropped[OTHER] == found.ratings:
            err().print(
                f"{log} holds {found.ratings} ratings, and none is of the alias {alias!r}", markup=False
            )
            raise typer.Exit(1)
        folder = out_folder or Path("runs") / f"feedback-{alias}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("pairs", found.pairs), ("rows", found.conversations)):
            text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    say(f"{found.ratings} ratings: {len(found.pairs)} pairs, {len(found.conversations)} rows")
    for reason, count in found.dropped.most_common():
        say(f"  {count:5} left out: {reason}")
    say(f"{folder / 'pairs.jsonl'}\n{folder / 'rows.jsonl'}")


def _show(row: PreviewRow) -> None:
    from rich.text import Text

    console = out()
    note = ", too long" if row.too_long else ""
    note += f", dropped: {row.dropped}" if row.dropped else ""
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
