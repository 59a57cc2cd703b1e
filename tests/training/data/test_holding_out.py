"""No row that is kept for evaluation is learned too."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.preparing import holding_out
from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows

ORDER = np.random.default_rng(0).permutation(12)


def parted(groups: list[int], wanted: int) -> tuple[list[int], list[int]]:
    """Which groups are learned, and which are kept, sorted."""
    learned, kept = holding_out.parted(
        np.random.default_rng(0).permutation(len(groups)), np.array(groups), wanted
    )
    return sorted(groups[row] for row in learned), sorted(groups[row] for row in kept)


def test_where_each_row_is_its_own_the_first_are_kept() -> None:
    learned, kept = holding_out.parted(ORDER, np.arange(12) * 7, 5)
    assert (learned.tolist(), kept.tolist()) == (ORDER[5:].tolist(), ORDER[:5].tolist())
    learned, kept = holding_out.parted(ORDER, np.arange(12), 100)
    assert (len(learned), len(kept)) == (6, 6)
    learned, kept = holding_out.parted(ORDER, np.zeros(12, np.int64), 0)
    assert (learned.tolist(), kept.tolist()) == (ORDER.tolist(), [])


@pytest.mark.parametrize("wanted", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    "groups",
    [
        [0, 0, 1, 1, 2, 2, 3, 3],
        [0, 1, 1, 2, 2, 2],
        [0] * 9 + [1, 2, 3],
        [0] * 6 + [1] * 6,
        [0, 0, 0, 0, 1],
    ],
)
def test_rows_of_one_group_are_on_one_side(groups: list[int], wanted: int) -> None:
    learned, kept = parted(groups, wanted)
    assert sorted(learned + kept) == groups
    assert not set(learned) & set(kept)
    assert learned
    assert kept
    assert len(set(kept)) <= max(1, len(set(groups)) // 2)
    assert len(kept) <= max(len(groups) // 2, min(map(groups.count, groups)))


def test_two_answers_of_each_prompt_are_kept_whole() -> None:
    assert [len(parted([0, 0, 1, 1, 2, 2, 3, 3], wanted)[1]) for wanted in (1, 2, 3, 4)] == [2, 2, 4, 4]


def test_one_row_many_times_is_on_both_sides() -> None:
    assert parted([3] * 5, 1) == ([3] * 4, [3])
    assert holding_out.on_both_sides(np.array([3, 3, 3, 4]), np.array([0, 2]), np.array([1, 3])) == 1


def rows(*spans: list[int], asked: int = 0) -> TokenRows:
    mask = [at >= asked for span in spans for at in range(len(span))]
    ids = np.concatenate(spans).astype(np.int32)
    return TokenRows(ids, np.array(mask), np.array([len(span) for span in spans], np.int64))


def test_groups_are_of_equal_rows_pairs_and_prompts() -> None:
    assert rows([1, 2], [1], [2], [1, 2], [1]).groups.tolist() == [0, 1, 2, 0, 1]
    chosen, rejected = rows([1, 2], [1, 2], [1, 2]), rows([1, 3], [1, 4], [1, 3])
    first, second, third = PairRows(chosen, rejected, np.zeros(3)).groups
    assert first == third != second
    answers = rows([5, 6, 1], [5, 7, 1], [5, 6, 2, 3], asked=2)
    assert LabelledRows(answers, np.array([True, False, True])).groups.tolist() == [0, 1, 0]
