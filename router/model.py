"""What a fit leaves and a decision needs: from texts to the confidence in each intent, in five steps.

``fold`` → encoder → :class:`Meaning` beside :class:`Spelling` → :class:`Linear`, raised by the nearest
examples → :class:`Calibration`. Whoever wants another classifier puts it in the place of
:class:`Linear` here and in :mod:`router.fitting`, and its arrays into :mod:`router.storage`; nothing else
knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from router.calibration import Calibration
from router.classifier import Floats, Labels, Linear, judged
from router.decoys import decoys
from router.encoder import TextEncoder
from router.features import Dense, Shares, Spelling, chinese_parts, fold, join
from router.meaning import Meaning, sentences
from router.nearest import Near, Neighbours


@dataclass(frozen=True)
class FittedModel:
    """All that a decision needs beside the encoder. ``N`` examples, ``K`` intents, ``D`` columns."""

    intents: tuple[str, ...]
    texts: tuple[str, ...]  # (N,) the last ones decoys
    labels: Labels  # (N,)
    neighbours: Neighbours  # the examples
    meaning: Meaning
    spelling: Spelling
    shares: Shares
    linear: Linear
    calibration: Calibration

    @cached_property
    def decoys(self) -> tuple[str, ...]:
        """What the last of the ``texts`` are, see :mod:`router.decoys`."""
        return tuple(decoys(self.intents).values())

    def transform(self, texts: Sequence[str], encoder: TextEncoder) -> tuple[Dense, Dense]:
        """``(M, D)`` rows of ``M`` texts, and their ``(M, H)`` sentence vectors."""
        texts = [fold(text) for text in texts]
        embeddings = encoder.encode(texts)
        shares = self.shares.of(chinese_parts(texts))
        rows = join(self.meaning.transform(embeddings), self.spelling.transform(texts), shares)
        return rows, sentences(embeddings, encoder.inner)

    def confidences(self, rows: Dense, sentences: Dense) -> tuple[Floats, Near]:
        """``(M, K)`` calibrated probabilities, and the nearest examples."""
        logits, signals, near = judged(self.linear, self.neighbours, rows, sentences)
        return self.calibration.confidences(logits, signals), near

    def resembles(self, nearest: Sequence[tuple[int, float]]) -> str | None:
        """What most of the ``nearest`` examples are, if they are decoys."""
        first = len(self.texts) - len(self.decoys)
        found = [self.decoys[example - first] for example, _ in nearest if example >= first]
        return found[0] if 2 * len(found) > len(nearest) else None
