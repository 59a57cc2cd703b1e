"""A slice of CLINC150, where it is there: text that nobody here wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from router.encoding.encoder import Encoder
from router.judging.evaluation import Row, as_examples, evaluate, read_rows
from router.router import Router

DATA = Path(os.environ.get("POINTSMAN_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
CLINC = DATA / "intents" / "clinc150"
INTENTS = 12  # of 150
SHOTS = 30  # examples of each


def sliced(split: str, shots: int) -> list[Row]:
    """The first ``shots`` rows of each of the first intents by name, and as many out of scope as of three."""
    rows = read_rows(CLINC / f"{split}.jsonl")
    names = sorted({row.intent for row in rows if row.intent is not None})[:INTENTS]
    kept = [row for name in names for row in [row for row in rows if row.intent == name][:shots]]
    return kept + [row for row in rows if row.intent is None][: 3 * shots]


@pytest.mark.skipif(not CLINC.is_dir(), reason=f"CLINC150 is not in {CLINC}; POINTSMAN_DATA names its folder")
def test_a_slice_of_clinc150(encoder: Encoder) -> None:
    router = Router.fit(as_examples(sliced("train", SHOTS)), encoder)
    report = evaluate(router, sliced("test", SHOTS))
    print(report)
    assert report.accuracy >= 0.95
    assert report.outside_auroc is not None
    assert report.outside_auroc >= 0.97
    assert report.calibration_error <= 0.06
