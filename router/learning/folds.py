"""Rows → folds for cross-fitting that keep nearly equal examples together.

Examples are often written by varying one another. Were a twin left in, a held-out example would look easier
than a stranger's words will be, and thresholds chosen on it would be too high.
"""

from __future__ import annotations

import numpy as np

from router.model.classifier import Labels
from router.model.features import Dense

FOLDS = 5
TWINS = 0.9  # similarity from which two examples of one label are kept together


def folds_of(rows: Dense, labels: Labels) -> Labels:
    """``(N,)`` fold numbers under ``FOLDS``: every label spread evenly, twins never parted."""
    folds = np.zeros(len(labels), dtype=np.int64)
    for start, label in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == label)
        groups = _groups(rows[members])
        sizes = np.bincount(groups)
        if len(sizes) == len(members):  # no twins: in turn, as the loop below would
            folds[members] = (start + groups) % FOLDS
            continue
        filled = [0] * FOLDS
        in_turn = [(start + fold) % FOLDS for fold in range(FOLDS)]
        chosen = np.zeros(len(sizes), dtype=np.int64)
        for group in np.argsort(-sizes, kind="stable"):
            chosen[group] = fold = min(in_turn, key=filled.__getitem__)
            filled[fold] += int(sizes[group])
        folds[members] = chosen[groups]
    return folds


def _groups(rows: Dense) -> Labels:
    """``(N,)`` numbers of the connected groups of twins."""
    from scipy.sparse.csgraph import connected_components

    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    near = unit @ unit.T >= TWINS
    twins = np.flatnonzero(np.count_nonzero(near, axis=1) > 1)
    first = np.arange(len(rows))  # of each row's group
    if len(twins):
        of_twins = connected_components(near[np.ix_(twins, twins)], directed=False)[1]
        first[twins] = twins[np.unique(of_twins, return_index=True)[1]][of_twins]
    return np.asarray(np.unique(first, return_inverse=True)[1], dtype=np.int64)
