"""Fit on rows, measure on others: the trials behind ``pointsman eval router``, and its numbers in files.

A trial with few shots draws them by its seed; nothing else about it is drawn.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from router.encoding.encoder import TextEncoder
from router.errors import ExamplesError
from router.examples import RoutingExamples
from router.judging.evaluation import Report, Row, as_examples, evaluate
from router.learning.report import FitReport
from router.router import Router

Tune = Callable[[Sequence[Row], int], TextEncoder]  # rows and seed → an encoder tuned to them


@dataclass(frozen=True)
class Trial:
    """One fit, measured on one split."""

    split: str
    seed: int
    examples: int  # rows fitted on, those out of scope included
    fit_s: float | None  # seconds, encoding and tuning included; None: a router that was fitted before
    report: Report


def run_trials(
    train: Sequence[Row],
    splits: Mapping[str, Sequence[Row]],
    encoder: TextEncoder | Tune,
    *,
    shots: int | None,
    seeds: int,
    validation: Sequence[Row] | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> list[Trial]:
    """For each seed a router fitted on ``train``, or on ``shots`` rows of each intent, and measured.

    Everything is chosen on ``validation``, or without it by cross-fitting.

    Raises:
        ExamplesError: ``train`` can't be fitted, or ``validation`` has another intent.
        RowsError: a split has no row in scope.
        EncoderError: the encoder fails.
    """
    trials = []
    judged = None if validation is None else _to_judge_by(validation)
    for seed in range(seeds):
        rows = train if shots is None else draw(train, shots, seed)
        say(f"fitting on {len(rows)} rows")
        began = time.perf_counter()
        own = encoder(rows, seed) if callable(encoder) else encoder
        router = Router.fit(as_examples(rows), own, tell=say, validation=judged)
        taken = time.perf_counter() - began
        for split, held in splits.items():
            say(f"deciding on the {len(held)} rows of {split}")
            trials.append(Trial(split, seed, len(rows), taken, evaluate(router, held)))
    return trials


def strangers(train: Sequence[Row], test: Sequence[Row]) -> list[str]:
    """Intents of ``test`` that no row of ``train`` has, so that each of their rows counts as wrong."""
    known = {row.intent for row in train}
    return sorted({row.intent for row in test if row.intent is not None and row.intent not in known})


def _to_judge_by(validation: Sequence[Row]) -> RoutingExamples:
    try:
        return as_examples(validation)
    except ExamplesError as exc:
        raise ExamplesError(
            [f"of the validation rows (--val): {problem}" for problem in exc.problems]
        ) from exc


def draw(rows: Sequence[Row], shots: int, seed: int) -> list[Row]:
    """At most ``shots`` rows of each intent, and every row out of scope."""
    of: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.intent].append(row)
    chosen = random.Random(seed)
    drawn = [
        row
        for intent in sorted(name for name in of if name is not None)
        for row in chosen.sample(of[intent], min(shots, len(of[intent])))
    ]
    return drawn + of[None]


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """The numbers as JSON at ``path``, and accuracy against coverage as PNG beside it."""
    _write(path, [asdict(trial) for trial in trials])
    _plot(path.with_suffix(".png"), trials)


def write_fit(path: Path, report: FitReport) -> None:
    """What a fit says of itself, as JSON at ``path``."""
    _write(path, asdict(report))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _plot(path: Path, trials: Sequence[Trial]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for trial in trials:
        coverage, accuracy = zip(*trial.report.curve, strict=True)
        (line,) = axes.plot(coverage, accuracy, label=f"{trial.split}, seed {trial.seed}")
        axes.plot(trial.report.coverage, trial.report.routed_accuracy or 0, "o", color=line.get_color())
    axes.set(
        xlabel="share of all rows that is routed", ylabel="of these right", title="Accuracy and coverage"
    )
    axes.legend()
    figure.savefig(path, dpi=144)
