"""The bench's table and what is timed."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.bench.measured import Measured, Rates, table
from deploy.bench.sets import LONG, TIMED_LONG, Sets
from deploy.bench.timing import WARM_UP, Latency, latency
from router.judging.evaluation import Row


def test_rates_count_a_row_out_of_scope_as_never_right() -> None:
    truth, best = ["refund", "track", None, None], ["refund", "refund", "track", None]
    rates = Rates.of(truth, best, np.array([0.9, 0.6, 0.7, 0.0]))
    assert rates.accuracy == 0.5
    assert rates.outside_auroc == pytest.approx(3 / 4)  # of four pairs only 0.6 < 0.7 is the wrong way round
    # bins of 1/15: 0.9 is right, the others are wrong
    assert rates.calibration_error == pytest.approx((0.1 + 0.6 + 0.7 + 0.0) / 4)


def test_the_table_leaves_empty_what_was_not_measured() -> None:
    whole = Measured(
        Rates(0.9651, 0.98312, 0.01234), banking=0.939, short=Latency(1.2, 2.4, 1.1, 2.2), fit_s=(2.94, 2.5)
    )
    lines = table({"ours": whole, "theirs": Measured()}).splitlines()
    assert lines[0] == "| | to reach | ours | theirs |"
    assert lines[2] == "| CLINC150, accuracy in scope | 96.5 % | 96.51 % |  |"
    assert "| 0.9831 |  |" in lines[3]
    assert lines[7].endswith("| 1.20 / 2.40 ms (CPU 1.10 / 2.20) |  |")
    assert lines[-1].endswith("| 2.9 s (CPU 2.5 s) |  |")
    assert {line.count("|") for line in lines} == {5}


def test_every_input_is_timed_once_after_the_warm_up() -> None:
    calls: list[str] = []
    texts = [str(n) for n in range(50)]
    measured = latency(calls.append, texts)
    assert calls == texts[:WARM_UP] + texts
    assert 0 <= measured.p50 <= measured.p99


def test_what_is_timed_has_the_length_that_the_table_says() -> None:
    rows = [Row(" ".join(["word"] * length), "any") for length in (3, 9, 10, 15, 16) for _ in range(500)]
    sets = Sets([], [], rows, [], [])
    assert {len(text.split()) for text in sets.short()} == {10, 15}
    long = sets.long(lambda text: len(text.split()))
    assert len(long) == TIMED_LONG
    assert all(LONG <= len(text.split()) < LONG + 16 for text in long)
