"""Which rows are kept for evaluation: none that is learned too, unless all are the same.

Rows of one group, such as the same row twice or the two answers to one prompt, are all learned or all kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def parted(
    order: NDArray[np.int64], groups: NDArray[np.int64], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the rows that are learned, and of those that are kept, each in their order.

    About ``wanted`` are kept, but no more than half of the groups, and of the rows where that can be. Where
    each row is a group of its own, or all are of one, they are the first.

    Args:
        order: the rows' numbers in any order, (rows,).
        groups: of each row by its number; rows of one group have the same, (rows,).
        wanted: how many to keep; 0: none need be.
    """
    most = min(wanted, len(order) // 2)
    _, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if not most or len(sizes) < 2:
        return order[most:], order[:most]
    kept = _taken(of_row[order], sizes, most)[of_row[order]]
    return order[~kept], order[kept]


def on_both_sides(groups: NDArray[np.int64], learned: NDArray[np.int64], kept: NDArray[np.int64]) -> int:
    """How many of the rows ``kept`` are of the groups of those ``learned``."""
    return int(np.isin(groups[kept], groups[learned]).sum())


def _taken(found: NDArray[np.int64], sizes: NDArray[np.int64], wanted: int) -> NDArray[np.bool_]:
    """Which groups are kept, of those ``found`` row by row; the first that are no larger than ``wanted``."""
    taken = np.zeros(len(sizes), np.bool_)
    rows, groups = 0, 0
    for group in found:
        if rows >= wanted or groups >= len(sizes) // 2:
            break
        size = int(sizes[group])
        if not taken[group] and size <= wanted and rows + size <= len(found) // 2:
            taken[group] = True
            rows, groups = rows + size, groups + 1
    if not groups:
        smallest = found[sizes[found] == sizes.min()]
        taken[smallest[0]] = True
    return taken
