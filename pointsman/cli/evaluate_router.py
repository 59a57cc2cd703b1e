"""``pointsman eval router``: how well a router, fitted on the spot, tells the intents apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.carried import CARRIED
from pointsman.cli.options import DEMO_CONFIG, ConfigOption
from pointsman.cli.terminal import Progress, fail, reported, say

if TYPE_CHECKING:
    from router.encoding.encoder import Encoder
    from router.judging.trial import Trial, Tune


class Mode(StrEnum):
    """How a router is fitted."""

    instant = "instant"
    tuned = "tuned"


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
    encoder: Annotated[str, typer.Option(help="'carried', a folder or a hub id; for --train.")] = CARRIED,
    mode: Annotated[
        Mode,
        typer.Option(help="The encoder as it is, or tuned to the rows of --train first: minutes on a GPU."),
    ] = Mode.instant,
    shots: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Fit on this many rows of each intent.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of --shots to average over.")] = 1,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="OUT",
            help="Write the numbers here, and the curve of held-out rows beside it as PNG.",
        ),
    ] = None,
) -> None:
    """Fit a router here and say how well it tells the intents apart.

    Nothing is chosen on the rows of --test. To `recall` an abstention is a miss; `accuracy` is of the best
    intent, abstained or not.

    Examples:

    - `pointsman eval router tests/router/held_out.jsonl --json router.json`
    - `pointsman eval router --train train.jsonl --test test.jsonl`
    - `pointsman eval router --train train.jsonl --val val.jsonl --test test.jsonl --mode tuned`
    - `pointsman eval router --train train.jsonl --test test.jsonl --shots 10 --seeds 5`
    """
    if train is not None or test is not None:
        if train is None or test is None or rows is not None:
            fail("give --train and --test together, and no ROWS.jsonl beside them")
        files = _Files(train, val, test)
        _train_and_test(files, encoder, mode, shots=shots, seeds=seeds, json_file=json_file)
        return
    needless = {
        "--val": val is not None,
        "--encoder": encoder != CARRIED,
        "--mode tuned": mode is Mode.tuned,
        "--shots": shots is not None,
        "--seeds": seeds != 1,
    }
    if given := [option for option, is_given in needless.items() if is_given]:
        fail(
            f"{', '.join(given)}: only with --train and --test; without them the settings' routes and "
            "encoder are looked at, and `pointsman train` tunes a service's encoder"
        )
    _of_settings(config, rows, json_file)


@dataclass(frozen=True)
class _Files:
    train: Path
    val: Path | None
    test: Path


def _of_settings(config: Path, held_out: Path | None, json_file: Path | None) -> None:
    from pointsman.cli.local import LOCAL_ERRORS, local_router
    from router.judging.evaluation import Report, evaluate, read_rows
    from router.judging.trial import Trial, write_fit, write_trials
    from router.learning.report import FitReport

    with reported(*LOCAL_ERRORS, OSError), Progress() as report:
        _, fitted = local_router(config, report)
        found: Report | FitReport = fitted.report
        if held_out is not None:
            report(f"deciding on the rows of {held_out}")
            found = evaluate(fitted, read_rows(held_out))
        if json_file is not None and isinstance(found, Report):
            learned = fitted.report.examples + fitted.report.out_of_scope
            write_trials(json_file, [Trial(str(held_out), 0, learned, None, found)])
        elif json_file is not None:
            write_fit(json_file, fitted.report)
    say(str(found))


def _train_and_test(
    files: _Files,
    encoder: str,
    mode: Mode,
    *,
    shots: int | None,
    seeds: int,
    json_file: Path | None,
) -> None:
    from router.encoding.encoder import Encoder
    from router.errors import RouterError
    from router.judging.evaluation import read_rows
    from router.judging.trial import run_trials, strangers, write_trials

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
    if unknown := strangers(fitted_on, rows):
        say(
            f"{files.train} has no row of {', '.join(map(repr, unknown))}, "
            f"so their rows of {files.test} count as wrong"
        )
    for trial in trials:
        say(f"{trial.split}, seed {trial.seed}, fitted on {trial.examples} rows in {trial.fit_s:.1f} s")
        say(str(trial.report))
    if seeds > 1:
        rates = [trial.report.accuracy for trial in trials]
        say(f"test: accuracy in scope {sum(rates) / len(rates):.1%} over {seeds} seeds")
