"""Where the classes stand in a row of logits: the ``K`` intents, "outside" behind them, "decoy" last.

    logits[:, INTENTS]  # (M, K)
    logits[:, OUTSIDE]  # (M,)
    logits[:, DECOY]    # (M,)

What gives logits fills all of these, and what reads them knows no more of how they were made. The candidates
that :mod:`router.model.nearest` looks at stand in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router import examples

INTENTS = slice(None, -2)
OUTSIDE = -2
DECOY = -1
OF_USERS = slice(None, DECOY)  # intents and "outside"
MORE = 2  # classes beside the intents
NEVER = -30.0  # logit of a class that has no rows


def classes_of(labels: NDArray[np.int64], intents: int) -> NDArray[np.int64]:
    """``(N,)`` where the class of each of the ``labels`` ``(N,)`` stands, of so many ``intents``."""
    others = [labels == examples.OUT_OF_SCOPE, labels == examples.DECOY]
    return np.asarray(np.select(others, [intents, intents + 1], labels))
