"""The rows of a fit: texts with both halves of what is seen of them, and which of them may be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.model.calibration import Mask
from router.model.classifier import Labels
from router.model.features import Dense, Shares, join


@dataclass(frozen=True)
class Corpus:
    """The examples, rows of a validation split behind them, decoys last; and both halves of their rows."""

    chinese: Dense  # (N, 1) how much of each text is Chinese
    given: int  # how many are no decoys
    labels: Labels  # (N,)
    sentences: Dense  # (N, H)
    meant: Dense  # (N, R)
    spelled: Dense  # (N, R)
    new: Mask  # (N,) may be scored
    apart: Mask  # (N,) of the validation split: never fitted on

    def rows(self, shares: Shares) -> Dense:
        return join(self.meant, self.spelled, shares.of(self.chinese))

    def sample(self, most: int) -> tuple[Corpus, Labels]:
        """At most ``most`` examples, of every label its part, and their places; no decoys.

        Of those that may be scored half; but of a validation split as many again.
        """
        others = ~self.new & (np.arange(len(self.labels)) < self.given)
        parts = [np.flatnonzero(mask) for mask in (self.new, others) if mask.any()]
        fewer = min(most // 2, *map(len, parts)) if len(parts) > 1 and not self.apart.any() else 0
        ordered = [part[np.argsort(self.labels[part], kind="stable")] for part in parts]
        kept = np.sort(np.concatenate([part[:: -(-len(part) // (most - fewer))] for part in ordered]))
        halves = self.sentences[kept], self.meant[kept], self.spelled[kept]
        masks = self.new[kept], self.apart[kept]
        return Corpus(self.chinese[kept], len(kept), self.labels[kept], *halves, *masks), kept
