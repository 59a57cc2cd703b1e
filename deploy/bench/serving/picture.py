"""How the times of one or two endpoints are spread, as a picture: which share is answered after how long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deploy.bench.serving.load import Run


def draw(endpoints: Sequence[tuple[str, Sequence[Run]]], path: Path) -> None:
    """Write a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    for name, runs in endpoints:
        good = [result for run in runs for result in run.results if result.error is None]
        for axis, values in zip(
            panels,
            (
                [result.first for result in good if result.first is not None],
                [gap for result in good for gap in result.gaps],
                [result.seconds for result in good],
            ),
            strict=True,
        ):
            if values:
                shares = np.linspace(0, 1, min(len(values), 500))
                axis.plot(np.quantile(values, shares) * 1_000, shares, label=name)
    for axis, title in zip(
        panels, ("to the first token", "between pieces", "to the end of the answer"), strict=True
    ):
        axis.set(title=title, xlabel="milliseconds", ylim=(0, 1), xlim=(0, None))
        axis.grid(alpha=0.3)
    panels[0].set(ylabel="share of requests")
    panels[2].legend()
    figure.savefig(path, dpi=110)
