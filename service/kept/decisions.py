"""The log of decisions: one JSON object a line in ``<state>/decisions.jsonl``, turned over at 10 MB.

It holds a request's text only where the settings ask for that. ``pointsman router suggest`` reads it.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from router.deciding.decision import Decision
from service.kept.own_file import OwnFile, lines_of

FILE = "decisions.jsonl"

Kind = Literal["off", "decisions", "texts"]


class DecisionLog:
    """Writes decisions of one gateway; the file is opened with the first."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._kind = kind
        self._file = OwnFile(folder / FILE)

    def write(self, decision: Decision) -> None:
        """Add a line. A disk that takes none fails no request."""
        if self._kind == "off":
            return
        line: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "intent": decision.intent,
            "confidence": round(decision.confidence, 4),
            "threshold": round(decision.threshold, 4),
            "top": [[intent, round(confidence, 4)] for intent, confidence in decision.top],
            "rule": decision.rule.name if decision.rule is not None else None,
        }
        if self._kind == "texts":
            line["text"] = decision.text
        self._file.write(line)

    def close(self) -> None:
        """Close the file; a later :meth:`write` opens it again."""
        self._file.close()


def logged_texts(folder: Path) -> tuple[Counter[str], int]:
    """How often each text was decided on by the model, newest first, and the number of decisions."""
    texts: Counter[str] = Counter()
    decisions = 0
    for found in lines_of(folder / FILE):
        decisions += 1
        text = found.get("text")
        if isinstance(text, str) and text and found.get("rule") is None:
            texts[text] += 1
    return texts, decisions
