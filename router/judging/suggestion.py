"""New examples out of what users said: the texts that the router is least sure of, one of each kind.

Every text is decided on anew, so that what a better set of examples has settled is not proposed again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from router.deciding.decision import Decision
from router.learning.folds import TWINS
from router.router import Router

MOST = 2_000  # different texts that are looked at: some seconds
UNSURE = 0.25  # of confidence, from the threshold or the second intent, under which a text is unsure
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text to be checked by somebody and to become an example."""

    text: str
    intent: str | None  # the likeliest; None: that it is out of scope is likelier than any
    confidence: float
    second: str | None  # the next best intent
    asked: int  # times that this text and its likes were logged


def suggest(texts: Mapping[str, int], router: Router, count: int) -> list[Suggestion]:
    """At most ``count`` suggestions from ``texts``, given with how often each was asked.

    Only the first ``MOST`` new ones are looked at. First comes what is unsure and asked often: the doubt, 0
    to 1, times the logarithm of the count.

    Raises:
        EncoderError: the encoder fails.
    """
    known = set(router.model.texts)
    new = list(islice((text for text in texts if text not in known), MOST))
    decisions: list[Decision] = []
    for start in range(0, len(new), _BATCH):
        asked = [[{"role": "user", "content": text}] for text in new[start : start + _BATCH]]
        decisions += router.decide_many(asked)
    unsure = [
        decision
        for decision in decisions
        if decision.rule is None and not decision.orders and doubt(decision) > 0
    ]
    return _one_of_each_kind(unsure, texts, router, count)


def doubt(decision: Decision) -> float:
    """0 where the router is sure, up to 1 at the threshold or where two intents are alike."""
    away = abs(decision.confidence - decision.threshold)
    if not decision.abstained and len(decision.top) > 1:
        away = min(away, decision.top[0][1] - decision.top[1][1])
    return max(0.0, 1 - away / UNSURE) if decision.top else 0.0


def _one_of_each_kind(
    unsure: list[Decision], texts: Mapping[str, int], router: Router, count: int
) -> list[Suggestion]:
    if not unsure:
        return []
    rows, _ = router.model.transform([decision.text for decision in unsure], router.encoder)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    asked = np.array([texts.get(decision.text, 1) for decision in unsure])
    left = np.ones(len(unsure), dtype=np.bool_)
    found: list[tuple[float, Suggestion]] = []
    for place in sorted(range(len(unsure)), key=lambda n: (-doubt(unsure[n]), unsure[n].text)):
        if not left[place]:
            continue
        alike = left & (rows @ rows[place] >= TWINS)
        alike[place] = True
        left &= ~alike
        times = int(asked[alike].sum())
        found.append((doubt(unsure[place]) * math.log2(1 + times), _suggestion(unsure[place], times)))
    return [suggestion for _, suggestion in sorted(found, key=lambda pair: -pair[0])[:count]]


def _suggestion(decision: Decision, asked: int) -> Suggestion:
    best, confidence = decision.top[0]
    outside = 1 - sum(chance for _, chance in decision.top)
    second = decision.top[1][0] if len(decision.top) > 1 else None
    return Suggestion(decision.text, best if confidence >= outside else None, confidence, second, asked)
