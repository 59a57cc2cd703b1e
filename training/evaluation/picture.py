"""The measures of an evaluation as one picture: losses on the left, shares on the right, all models."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pointsman.artefact import write_atomically
from training.evaluation.evaluate import Findings, names
from training.evaluation.report import LOSS, is_share


def draw(findings: Sequence[Findings], path: Path) -> None:
    """A PNG; bars with their standard errors."""
    from matplotlib.figure import Figure

    every = [
        name
        for name in names(findings)
        if any(name in one.measures and one.measures[name].value is not None for one in findings)
    ]
    panels = [
        ("nats per token", [name for name in every if name.endswith(f".{LOSS}")]),
        ("share", [name for name in every if is_share(name)]),
    ]
    panels = [(unit, shown) for unit, shown in panels if shown]
    if not panels:  # only tasks of lm-eval whose metrics are neither
        panels = [("", every)]
    tallest = max(len(shown) for _, shown in panels)
    figure = Figure(
        figsize=(6.5 * len(panels), 1.5 + 0.28 * tallest * (len(findings) + 0.5)), layout="constrained"
    )
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    height = 0.8 / len(findings)
    for axis, (unit, shown) in zip(axes, panels, strict=True):
        for i, found in enumerate(findings):
            measures = [found.measures.get(name) for name in shown]
            axis.barh(
                [at + height * i for at in range(len(shown))],
                [m.value if m and m.value is not None else 0.0 for m in measures],
                height,
                xerr=[m.error if m and m.error is not None else 0.0 for m in measures],
                label=found.model,
            )
        middle = height * (len(findings) - 1) / 2
        labels = [name.removesuffix(f".{LOSS}").replace("_", " ") for name in shown]
        axis.set_yticks([at + middle for at in range(len(shown))], labels)
        axis.invert_yaxis()
        axis.set(xlabel=unit)
        if unit == "share":
            axis.set_xlim(0, 1)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(findings))
    with tempfile.TemporaryFile() as file:
        figure.savefig(file, format="png", dpi=110)
        file.seek(0)
        write_atomically(path, file.read())
