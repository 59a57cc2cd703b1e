"""Reading rows and counting on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from router.errors import RowsError
from router.examples import RoutingExamples
from router.judging import metrics
from router.judging.evaluation import Row, as_examples, evaluate, read_rows
from router.learning.report import make_report
from router.router import Router


def write(folder: Path, text: str) -> Path:
    path = folder / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_read_with_null_for_out_of_scope(tmp_path: Path) -> None:
    path = write(tmp_path, '{"text": "a\u2028b", "intent": "x"}\n\n{"text": "c", "intent": null}\n')
    assert read_rows(path) == (Row("a\u2028b", "x"), Row("c", None))


def test_a_mark_of_byte_order_is_passed_over(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, '\ufeff{"text": "a", "intent": "x"}')) == (Row("a", "x"),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "rows.jsonl:2: not JSON"),
        ("[]", "rows.jsonl:2: expected an object with 'text' and 'intent', found list"),
        ('{"text": "a"}', "rows.jsonl:2: expected an object with 'text' and 'intent', found \\['text'\\]"),
        ('{"text": " ", "intent": "x"}', "rows.jsonl:2: 'text' must be a text that is not empty"),
        ('{"text": "a", "intent": 3}', "rows.jsonl:2: 'intent' must be a name or null, found 3"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, f'{{"text": "a", "intent": "x"}}\n{line}\n')
    with pytest.raises(RowsError, match=message):
        read_rows(path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="no rows"):
        read_rows(write(tmp_path, "\n"))
    with pytest.raises(RowsError, match="can't be read"):
        read_rows(tmp_path / "absent.jsonl")


def test_rows_become_examples() -> None:
    examples = as_examples([Row("a", "x"), Row("b", "y"), Row("c", None), Row("d", "x")])
    assert examples.intents == {"x": ("a", "d"), "y": ("b",)}
    assert examples.out_of_scope == ("c",)


def test_a_router_is_counted(small_router: Router) -> None:
    """Four rows in scope of which one is labelled wrong on purpose, two out of scope."""
    rows = [
        Row("a red apple", "fruit"),
        Row("rusty iron bar", "metal"),
        Row("a wide river", "water"),
        Row("deep river bed", "metal"),
        Row("loud music hall", None),
        Row("soft music", None),
    ]
    report = evaluate(small_router, rows)
    assert (report.inside, report.outside) == (4, 2)
    assert report.accuracy == 0.75
    assert report.recall == 0.75
    assert report.outside_abstained == 1.0
    assert report.outside_auroc == 1.0
    assert report.coverage == pytest.approx(4 / 6)
    assert report.routed_accuracy == 0.75
    # F1: fruit 1; metal 1 hit of 2 rows and 1 decided: 2/3; water 1 hit of 1 row and 2 decided: 2/3
    assert report.macro_f1 == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert report.confusions == (("metal", "water", 1),)
    assert 0 < report.p50_ms <= report.p99_ms
    assert "recall in scope, abstention a miss     75.0%" in str(report)


def test_an_abstention_is_a_miss_to_recall_and_not_to_accuracy(small_router: Router) -> None:
    """A fit means by recall what rows that were held out mean."""
    strict = replace(small_router.model.calibration, threshold=1.0)
    model = replace(small_router.model, calibration=strict)
    router = Router(model, small_router.report, small_router.encoder, small_router.fingerprint)
    report = evaluate(router, [Row("a red apple", "fruit"), Row("a wide river", "water")])
    assert (report.accuracy, report.recall, report.coverage) == (1.0, 0.0, 0.0)
    labels, confidences = np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]])
    examples = RoutingExamples({"fruit": ["apple"], "water": ["river"]})
    fit = make_report(examples, labels, confidences, np.array([True, False]), threshold=0.5)
    assert (fit.recall, fit.recall_by_intent) == (0.5, {"fruit": 1.0, "water": 0.0})


def test_only_rows_out_of_scope_can_not_be_counted(small_router: Router) -> None:
    with pytest.raises(RowsError, match="no row is in scope"):
        evaluate(small_router, [Row("loud music", None)])


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    confidence = np.array([0.9, 0.4, 0.4, 0.1])
    inside = np.array([True, True, False, False])
    # pairs: 0.9 over both, 0.4 ties one (half) and beats one: 3.5 of 4
    assert metrics.auroc(confidence, inside) == pytest.approx(3.5 / 4)


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    confidence = np.array([0.8, 0.8, 0.8, 0.8, 0.8, 0.2])
    right = np.array([True, True, True, True, False, False])
    # five at 0.8 of which four are right: no gap; one at 0.2, wrong: 0.2 over six rows
    assert metrics.calibration_error(confidence, right) == pytest.approx(0.2 / 6)
