"""``pointsman eval``: how good the running demo is, how good a served model, and how good a router."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.evaluate_model import model
from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ApiKeyOption, ConfigOption, UrlOption
from pointsman.cli.terminal import Progress, err, fail, out, reported, say

if TYPE_CHECKING:
    from deploy.demo.evaluation import Outcome, Score
    from router.encoder import Encoder
    from router.trial import Trial, Tune


class Mode(StrEnum):
    """How a router is fitted."""

    instant = "instant"
    tuned = "tuned"


app = typer.Typer(
    help="""
Score what is served against cases that training never saw.

**Examples**

- `pointsman eval demo` — 100 held-out cases of every intent and language, through the running gateway
- `pointsman eval demo --count 20 --intent arithmetic --language zh --failures 3`
- `pointsman eval model support --against pointsman-demo` — loss, tool calls, preferences of a served model
- `pointsman eval router` — cross-fitted accuracy of the routes' own examples
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command()(model)


@app.command()
def demo(
    *,
    url: UrlOption = DEFAULT_URL,
    count: Annotated[int, typer.Option(min=1, help="Cases of each intent in each language.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests at a time.")] = 8,
    language: Annotated[
        str | None, typer.Option(metavar="en|zh", show_default=False, help="Only this language.")
    ] = None,
    intent: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this intent; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other cases.")] = 0,
    cases_file: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FILE.jsonl", help="Cases of a file in place of generated ones."),
    ] = None,
    failures: Annotated[int, typer.Option(min=0, metavar="N", help="Show the first N failed cases.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write every case and the scores here.")
    ] = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Send held-out cases through the running gateway and print the task success by intent and language.

    Names, numbers and ids of these cases were never trained on. The status is 1 if a bar is missed.

    Examples:

    - `pointsman eval demo --count 20 --failures 5`
    - `pointsman eval demo --cases deploy/demo/cases/handwritten.jsonl`
    """
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from deploy.demo import evaluation
    from pointsman.cli.gateway import GatewayError, call

    languages = _chosen("language", [language] if language else None, evaluation.LANGUAGES)
    intents = _chosen("intent", intent, evaluation.INTENTS)
    with reported(ValueError, OSError):
        samples = evaluation.cases(count, seed, languages, intents, cases_file)
    with reported(GatewayError):
        call(url, "GET", "/ready")
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=err(), transient=True) as bars:
        task = bars.add_task("", total=len(samples))
        asked = evaluation.evaluate(url, samples, concurrency, api_key, partial(bars.advance, task))
        outcomes = asyncio.run(asked)
    scores = evaluation.scores(outcomes)
    _print_scores(scores)
    failed = [outcome for outcome in outcomes if outcome.faults]
    for outcome in failed[:failures]:
        _print_failure(outcome)
    if json_file is not None:
        json_file.write_text(_as_json(scores, outcomes), encoding="utf-8")
    if below := [f"{score.intent} ({score.language})" for score in scores if score.below]:
        fail(f"below the bar: {', '.join(below)}" + ("" if failures else "; --failures 5 shows cases"))


@app.command()
def router(
    rows: Annotated[
        Path | None,
        typer.Argument(
            metavar="ROWS.jsonl",
            show_default=False,
            help='Held-out rows, {"text": ..., "intent": ... or null}; else the examples, cross-fitted.',
        ),
    ] = None,
    config: ConfigOption = DEMO_CONFIG,
    *,
    train: Annotated[
        Path | None,
        typer.Option(metavar="A.jsonl", show_default=False, help="Fit on these rows, not on the routes."),
    ] = None,
    val: Annotated[
        Path | None,
        typer.Option(
            metavar="B.jsonl",
            show_default=False,
            help="Choose and calibrate on these rows; without them by cross-fitting.",
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="C.jsonl", show_default=False, help="Rows to report on.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="'carried', a folder or a hub id; for --train.")] = "carried",
    mode: Annotated[
        Mode, typer.Option(help="The encoder as it is, or tuned to the rows of --train first: minutes.")
    ] = Mode.instant,
    shots: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Fit on this many rows of each intent.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of --shots to average over.")] = 1,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write the numbers here, and the curve beside it as PNG."),
    ] = None,
) -> None:
    """Fit a router here and say how well it tells the intents apart.

    Nothing is chosen on the rows of --test.

    Examples:

    - `pointsman eval router tests/router/held_out.jsonl`
    - `pointsman eval router --train train.jsonl --test test.jsonl --json router.json`
    - `pointsman eval router --train train.jsonl --val val.jsonl --test test.jsonl --mode tuned`
    - `pointsman eval router --train train.jsonl --test test.jsonl --shots 10 --seeds 5`
    """
    if train is not None or test is not None:
        if train is None or test is None or rows is not None:
            fail("give --train and --test together, and no ROWS.jsonl beside them")
        files = _Files(train, val, test)
        _train_and_test(files, encoder, mode, shots=shots, seeds=seeds, json_file=json_file)
        return
    if val is not None or mode is Mode.tuned:
        fail("--val and --mode tuned go with --train and --test; `pointsman train` tunes a service's encoder")
    from pointsman.cli.local import LOCAL_ERRORS, local_router

    with reported(*LOCAL_ERRORS), Progress() as report:
        _, fitted = local_router(config, report)
        if rows is not None:
            from router.evaluation import evaluate, read_rows

            report(f"deciding on the rows of {rows}")
            measured = evaluate(fitted, read_rows(rows))
    say(str(measured if rows is not None else fitted.report))


@dataclass(frozen=True)
class _Files:
    train: Path
    val: Path | None
    test: Path


def _train_and_test(
    files: _Files,
    encoder: str,
    mode: Mode,
    *,
    shots: int | None,
    seeds: int,
    json_file: Path | None,
) -> None:
    from router.encoder import Encoder
    from router.errors import RouterError
    from router.evaluation import read_rows
    from router.trial import run_trials, write_trials

    def run(found: Encoder | Tune, report: Callable[[str], object]) -> list[Trial]:
        return run_trials(
            fitted_on,
            {"test": rows},
            found,
            shots=shots,
            seeds=seeds,
            validation=judged,
            say=report,
        )

    with reported(RouterError, OSError):
        rows, fitted_on = read_rows(files.test), read_rows(files.train)
        judged = None if files.val is None else read_rows(files.val)
        if mode is Mode.tuned:
            from pointsman.cli.tuned import tuning

            with tuning(encoder, keep_some=judged is None) as tune:
                trials = run(tune, say)
        else:
            with Progress() as report:
                report(f"loading the encoder ({encoder})")
                trials = run(Encoder.load(encoder), report)
        if json_file is not None:
            write_trials(json_file, trials)
    for trial in trials:
        say(f"{trial.split}, seed {trial.seed}, fitted on {trial.examples} rows in {trial.fit_s:.1f} s")
        say(str(trial.report))
    if seeds > 1:
        rates = [trial.report.accuracy for trial in trials]
        say(f"test: accuracy in scope {sum(rates) / len(rates):.1%} over {seeds} seeds")


def _chosen(what: str, given: Sequence[str] | None, known: Sequence[Any]) -> list[Any]:
    unknown = [name for name in given or () if name not in known]
    if unknown:
        fail(f"no such {what}: {', '.join(unknown)}; there is {', '.join(known)}")
    return list(given or known)


def _print_scores(scores: Sequence[Score]) -> None:
    from rich.table import Table

    table = Table("intent", "language", "cases", "task success", "bar", "routed right")
    for score in scores:
        colour = "bold red" if score.below else "green" if score.bar else "default"
        table.add_row(
            score.intent,
            score.language,
            str(score.cases),
            f"[{colour}]{score.done / score.cases:.0%}[/]",
            f"{score.bar:.0%}" if score.bar else "",
            f"{score.routed / score.cases:.0%}",
        )
    table.add_section()
    cases, done, routed = (
        sum(getattr(score, name) for score in scores) for name in ("cases", "done", "routed")
    )
    table.add_row("all", "", str(cases), f"{done / cases:.1%}", "", f"{routed / cases:.1%}")
    out().print(table)


def _print_failure(outcome: Outcome) -> None:
    asked = next(m["content"] for m in reversed(outcome.sample.messages) if m["role"] == "user")
    out().print(
        f"\n{outcome.sample.intent} ({outcome.sample.language}), routed to {outcome.routed}", style="bold"
    )
    for label, text in (
        ("asked", asked),
        ("answered", outcome.text),
        *(("fault", f) for f in outcome.faults),
    ):
        say(f"  {label}: {text}")


def _as_json(scores: Sequence[Score], outcomes: Sequence[Outcome]) -> str:
    from dataclasses import asdict

    report = {
        "scores": [asdict(score) for score in scores],
        "cases": [{**asdict(outcome), "routed_right": outcome.routed_right} for outcome in outcomes],
    }
    return json.dumps(report, ensure_ascii=False, indent=1, default=list) + "\n"
