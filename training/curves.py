"""The metrics of a run as one picture. The one module that imports matplotlib."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pointsman.artefact import write_atomically


def draw(metrics: list[dict[str, float]], title: str, path: Path) -> None:
    """Loss, evaluation loss and learning rate over the steps, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    loss_axis, rate_axis = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for name, style in (("loss", "-"), ("eval_loss", "o--")):
        points = [(line["step"], line[name]) for line in metrics if name in line]
        if points:
            loss_axis.plot(*zip(*points, strict=True), style, label=name.replace("_", " "))
    rates = [(line["step"], line["learning_rate"]) for line in metrics if "learning_rate" in line]
    if rates:
        rate_axis.plot(*zip(*rates, strict=True))
    loss_axis.set(title=title, ylabel="nats per token", yscale="log")
    if loss_axis.get_legend_handles_labels()[0]:
        loss_axis.legend()
    rate_axis.set(xlabel="step", ylabel="learning rate")
    with tempfile.TemporaryFile() as file:
        figure.savefig(file, format="png", dpi=110)
        file.seek(0)
        write_atomically(path, file.read())
