"""The metrics of a run as one picture, each stage's own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.artefact import write_atomically


@dataclass(frozen=True, slots=True)
class Panel:
    """Metrics that share an axis."""

    unit: str  # what the axis says
    lines: Mapping[str, str] = field(hash=False)  # a metric's name → how it is drawn, in matplotlib's style
    logarithmic: bool = False
    height: int = 1  # against the other panels'


def draw(metrics: list[dict[str, float]], title: str, path: Path, panels: Sequence[Panel]) -> None:
    """The panels' metrics over the steps, as a PNG."""
    from matplotlib.figure import Figure

    heights = [panel.height for panel in panels]
    figure = Figure(figsize=(8, 1.2 + 1.2 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        for name, style in panel.lines.items():
            points = [(line["step"], line[name]) for line in metrics if name in line]
            if points:
                axis.plot(*zip(*points, strict=True), style, label=name.replace("_", " "))
        axis.set(ylabel=panel.unit, yscale="log" if panel.logarithmic else "linear")
        if len(axis.get_legend_handles_labels()[0]) > 1:
            axis.legend()
    axes[0].set(title=title)
    axes[-1].set(xlabel="step")
    with tempfile.TemporaryFile() as file:
        figure.savefig(file, format="png", dpi=110)
        file.seek(0)
        write_atomically(path, file.read())
