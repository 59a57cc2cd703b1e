"""What was measured of candidate and live version, kept row by row, so that a gate can judge it later too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.artefact import write_atomically
from training.evaluation.evaluate import Findings
from training.evaluation.measures import Measure, ratio

FILE = "measures.json"


def write(folder: Path, findings: Sequence[Findings]) -> None:
    """Keep the measures of each model in ``folder``."""
    content = {
        found.model: {name: _plain(measure) for name, measure in found.measures.items()} for found in findings
    }
    write_atomically(folder / FILE, json.dumps(content).encode())


def read(folder: Path) -> dict[str, dict[str, Measure]]:
    """The measures by model and name."""
    content = json.loads((folder / FILE).read_bytes())
    return {
        model: {name: _measure(plain) for name, plain in measures.items()}
        for model, measures in content.items()
    }


def _plain(measure: Measure) -> dict[str, Any]:
    return {
        "value": measure.value,
        "error": measure.error,
        "count": measure.count,
        "rows": measure.rows.tolist(),
    }


def _measure(plain: Mapping[str, Any]) -> Measure:
    if plain["rows"]:
        return ratio(*zip(*plain["rows"], strict=True))
    return Measure(plain["value"], plain["error"], plain["count"], np.zeros(0))
