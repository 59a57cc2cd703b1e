"""How good a router is on rows it never saw: ``{"text": ..., "intent": ... | null}``, null for out of scope.

Thresholds are chosen when the router is fitted; nothing is chosen here, so the rows may be a test split.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from router.deciding.decision import Decision
from router.errors import RowsError
from router.examples import RoutingExamples
from router.judging.metrics import auprc, auroc, calibration_error, curve, fpr95, macro_f1
from router.router import Router

_BATCH = 64  # texts decided together where latency is not measured
_TIMED = 200  # rows, at most, that are decided alone to measure latency


@dataclass(frozen=True, slots=True)
class Row:
    """One text and what it should be routed to."""

    text: str
    intent: str | None  # None: out of scope


@dataclass(frozen=True)
class Report:
    """Rates are 0 to 1; ``None`` where the rows hold nothing to measure it on."""

    inside: int  # rows in scope
    outside: int  # rows out of scope
    accuracy: float  # in scope: the best intent is right, abstained or not
    recall: float  # in scope: right and not abstained, so an abstention is a miss
    macro_f1: float  # over the intents in scope; abstaining is a miss
    outside_abstained: float | None
    outside_auroc: float | None  # of the confidence, in scope against out
    calibration_error: float  # ECE of the confidence, out-of-scope rows included
    coverage: float  # share of all rows that are routed
    routed_accuracy: float | None  # of the routed rows, out-of-scope ones counted as wrong
    p50_ms: float  # one decision alone, milliseconds
    p99_ms: float
    confusions: tuple[
        tuple[str | None, str | None, int], ...
    ]  # (intent, decided, count), most frequent first
    outside_auprc: float | None  # average precision of telling rows out of scope by their low confidence
    outside_fpr95: (
        float | None
    )  # rows in scope taken for out of scope where 95 % of those out of it are found
    curve: tuple[tuple[float, float], ...]  # (coverage, accuracy of what is routed) as the threshold falls

    def __str__(self) -> str:
        lines = [
            ("rows in scope / out of scope", f"{self.inside} / {self.outside}"),
            ("accuracy in scope, abstention ignored", _percent(self.accuracy)),
            ("recall in scope, abstention a miss", _percent(self.recall)),
            ("macro F1", _percent(self.macro_f1)),
            ("out of scope abstained", _percent(self.outside_abstained)),
            ("out of scope AUROC", _fraction(self.outside_auroc)),
            ("out of scope AUPRC", _fraction(self.outside_auprc)),
            ("in scope lost, 95% of others found", _percent(self.outside_fpr95)),
            ("calibration error (ECE)", f"{self.calibration_error:.4f}"),
            ("coverage", _percent(self.coverage)),
            ("accuracy of what is routed", _percent(self.routed_accuracy)),
            ("one decision p50 / p99", f"{self.p50_ms:.1f} / {self.p99_ms:.1f} ms"),
        ]
        lines += [(f"  {truth} → {decided}", str(count)) for truth, decided, count in self.confusions]
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def read_rows(path: Path | str) -> tuple[Row, ...]:
    """The rows of a JSONL file; blank lines and a mark of byte order are passed over.

    Raises:
        RowsError: the file can't be read, has no rows, or has a bad one; the message names file and line.
    """
    rows: list[Row] = []
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise RowsError(f"{path}: can't be read: {exc}") from exc
    for number, line in enumerate(lines, 1):
        if line.strip():
            rows.append(_row(line, f"{path}:{number}"))
    if not rows:
        raise RowsError(f"{path}: no rows")
    return tuple(rows)


def as_examples(rows: Sequence[Row]) -> RoutingExamples:
    """The rows as examples to fit on."""
    intents: dict[str, list[str]] = {}
    for row in rows:
        if row.intent is not None:
            intents.setdefault(row.intent, []).append(row.text)
    return RoutingExamples(intents, [row.text for row in rows if row.intent is None])


def evaluate(router: Router, rows: Sequence[Row]) -> Report:
    """Decide on every row and count. The rows must not be those the router was fitted on.

    Raises:
        RowsError: no row is in scope.
    """
    decisions = _decide(router, [row.text for row in rows])
    p50, p99 = _latency(router, rows)
    truth = [row.intent for row in rows]
    best = [decision.top[0][0] if decision.top else None for decision in decisions]
    confidence = np.array([decision.confidence for decision in decisions])
    routed = np.array([not decision.abstained for decision in decisions])
    right = np.array(
        [intent == chosen and intent is not None for intent, chosen in zip(truth, best, strict=True)]
    )
    inside = np.array([intent is not None for intent in truth])
    if not inside.any():
        raise RowsError("no row is in scope; give rows with an intent as well")
    decided = [decision.intent for decision in decisions]
    return Report(
        inside=int(inside.sum()),
        outside=int((~inside).sum()),
        accuracy=float(right[inside].mean()),
        recall=float((right & routed)[inside].mean()),
        macro_f1=macro_f1(truth, decided),
        outside_abstained=float((~routed)[~inside].mean()) if (~inside).any() else None,
        outside_auroc=auroc(confidence, inside),
        calibration_error=calibration_error(confidence, right),
        coverage=float(routed.mean()),
        routed_accuracy=float(right[routed].mean()) if routed.any() else None,
        p50_ms=p50,
        p99_ms=p99,
        confusions=_confusions(truth, decided),
        outside_auprc=auprc(confidence, inside),
        outside_fpr95=fpr95(confidence, inside),
        curve=curve(confidence, right),
    )


def _row(line: str, where: str) -> Row:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as exc:
        raise RowsError(f"{where}: not JSON: {exc.msg}") from exc
    if not isinstance(value, dict) or set(value) != {"text", "intent"}:
        found = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise RowsError(f"{where}: expected an object with 'text' and 'intent', found {found}")
    text, intent = value["text"], value["intent"]
    if not isinstance(text, str) or not text.strip():
        raise RowsError(f"{where}: 'text' must be a text that is not empty, found {text!r}")
    if not (intent is None or (isinstance(intent, str) and intent)):
        raise RowsError(f"{where}: 'intent' must be a name or null, found {intent!r}")
    return Row(text, intent)


def _decide(router: Router, texts: list[str]) -> list[Decision]:
    parts = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
    return [decision for part in parts for decision in router.decide_many(map(_conversation, part))]


def _latency(router: Router, rows: Sequence[Row]) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds of single decisions on rows spread over the set."""
    taken: list[float] = []
    for row in rows[:: -(-len(rows) // _TIMED)]:
        start = time.perf_counter()
        router.decide(_conversation(row.text))
        taken.append((time.perf_counter() - start) * 1_000)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def _conversation(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _confusions(
    truth: Sequence[str | None], decided: Sequence[str | None]
) -> tuple[tuple[str | None, str | None, int], ...]:
    counts: dict[tuple[str | None, str | None], int] = {}
    for pair in zip(truth, decided, strict=True):
        if pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:8]
    return tuple((*pair, count) for pair, count in ordered)


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _fraction(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
