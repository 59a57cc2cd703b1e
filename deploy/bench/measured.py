"""What is measured of each contender, and the table of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.bench.timing import Latency
from router.judging.metrics import auroc, calibration_error


@dataclass(frozen=True)
class Rates:
    """On CLINC150's test split; chosen on its train and validation splits only."""

    accuracy: float  # in scope, abstention ignored
    outside_auroc: float
    calibration_error: float  # out of scope included

    @classmethod
    def of(cls, truth: list[str | None], best: list[str | None], confidence: NDArray[np.float64]) -> Rates:
        """From the likeliest intent of each row and its confidence."""
        inside = np.array([intent is not None for intent in truth])
        right = np.array([t == b and t is not None for t, b in zip(truth, best, strict=True)])
        return cls(
            accuracy=float(right[inside].mean()),
            outside_auroc=auroc(confidence, inside) or 0.0,
            calibration_error=calibration_error(confidence, right),
        )


@dataclass(frozen=True)
class Measured:
    """One contender; ``None`` where a measure does not apply to it or was not taken."""

    clinc: Rates | None = None
    banking: float | None = None  # accuracy, full training split
    banking_shots: float | None = None  # mean accuracy of the draws
    short: Latency | None = None
    long: Latency | None = None
    per_second: tuple[float, float] | None = None  # decisions by the clock, and by CPU time
    fit_s: tuple[float, float] | None = None  # seconds by the clock, and of CPU time


_ROWS = (  # what is measured, and what is to be reached
    ("CLINC150, accuracy in scope", "96.5 %"),
    ("CLINC150, out of scope AUROC", "0.983"),
    ("CLINC150, ECE with out of scope", "0.02"),
    ("Banking77, accuracy", "94.5 % (tuned)"),
    ("Banking77, 10 shots, mean of 5 draws", "89.5 % (tuned)"),
    ("10 to 15 words, p50 / p99", "1.2 / 2.5 ms"),
    ("500 tokens, p50 / p99", "20 ms"),
    ("decisions a second, 32 at once", "900"),
    ("fit on CLINC150, vectors kept", "3 s"),
)


def table(contenders: Mapping[str, Measured]) -> str:
    """Markdown: measures down, contenders across."""
    lines = [
        "| | to reach | " + " | ".join(contenders) + " |",
        "| --- | --- |" + " --- |" * len(contenders),
    ]
    columns = [_cells(measured) for measured in contenders.values()]
    for (name, target), *cells in zip(_ROWS, *columns, strict=True):
        lines.append(f"| {name} | {target} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(measured: Measured) -> list[str]:
    """In the order of ``_ROWS``; empty where nothing was measured."""
    rates = measured.clinc
    return [
        _percent(rates.accuracy if rates else None),
        f"{rates.outside_auroc:.4f}" if rates else "",
        f"{rates.calibration_error:.4f}" if rates else "",
        _percent(measured.banking),
        _percent(measured.banking_shots),
        str(measured.short or ""),
        str(measured.long or ""),
        _both(measured.per_second, ".0f"),
        _both(measured.fit_s, ".1f", " s"),
    ]


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate * 100:.2f} %"


def _both(pair: tuple[float, float] | None, form: str, unit: str = "") -> str:
    return "" if pair is None else f"{pair[0]:{form}}{unit} (CPU {pair[1]:{form}}{unit})"
