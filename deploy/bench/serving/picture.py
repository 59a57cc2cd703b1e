"""A run as a picture: how the times of each endpoint are spread, and how they went over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.bench.serving.load import Run
from deploy.bench.serving.report import Summary
from deploy.bench.serving.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS = 4_000  # of an endpoint, drawn over time
_SHOWN = 0.995  # share of the times: the few above would press the rest together
_PANELS: tuple[tuple[str, Callable[[Result], Iterable[float]]], ...] = (
    ("to the first token", lambda result: () if result.first is None else (result.first,)),
    ("between pieces", lambda result: result.gaps),
    ("to the end of the answer", lambda result: (result.seconds,)),
)


def draw(title: str, endpoints: Sequence[tuple[Summary, Sequence[Run]]], path: Path) -> None:
    """Write a PNG: three panels with the share of requests that took at most so long, p50, p90 and p99 as
    lines, and one with each request by when it was asked, those that failed as crosses."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout="constrained")
    *shares, over_time = figure.subplots(2, 2).flat
    figure.suptitle(title)
    for index, (summary, runs) in enumerate(endpoints):
        failed = sum(summary.errors.values())
        name = f"{summary.name}: {summary.throughput:.1f} requests/s, {failed} of {summary.requests} failed"
        good = [result for run in runs for result in run.results if result.error is None]
        for axis, (_, values) in zip(shares, _PANELS, strict=True):
            _share(axis, [value for result in good for value in values(result)], name, f"C{index}")
        _over_time(over_time, [result for run in runs for result in run.results], f"C{index}")
    for axis, (what, _) in zip(shares, _PANELS, strict=True):
        axis.set(title=what, xlabel="milliseconds", ylabel="share of requests", ylim=(0, 1), xlim=(0, None))
        axis.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 0.99], ["0", "", "p50", "", "p90", "p99"])
        axis.grid(alpha=0.3)
    shares[1].set(ylabel="share of gaps")
    over_time.set(
        title="to the end, by when it was asked (x: failed)",
        xlabel="seconds since the round began",
        ylabel="milliseconds",
        ylim=(0, None),
    )
    over_time.grid(alpha=0.3)
    figure.legend(*shares[-1].get_legend_handles_labels(), loc="outside lower center")
    figure.savefig(path, dpi=110, format="png")


def _share(axis: Axes, seconds: Sequence[float], name: str, colour: str) -> None:
    shares = np.linspace(0, _SHOWN, 501 if seconds else 0)
    values = np.quantile(seconds or [0.0], shares) * 1_000
    axis.plot(values, shares, color=colour, label=name)


def _over_time(axis: Axes, results: Sequence[Result], colour: str) -> None:
    shown = results[:: 1 + len(results) // _DOTS]
    for marker, failed in ((".", False), ("x", True)):
        points = [(one.at, one.seconds * 1_000) for one in shown if (one.error is not None) == failed]
        if points:
            axis.plot(*zip(*points, strict=True), marker, color=colour, markersize=4, alpha=0.5)
