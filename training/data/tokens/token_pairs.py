"""Preferences as token rows: a prompt with its better and its worse answer, or with one labelled answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.tokens.token_rows import TokenRows, alike


@dataclass(frozen=True, slots=True)
class PairRows:
    """Row i of ``chosen`` and of ``rejected`` begin with the same prompt; their answers are trained on."""

    chosen: TokenRows
    rejected: TokenRows
    margins: NDArray[np.float64]  # (rows,), NaN where a row gives none

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def tokens(self) -> int:
        """Tokens of all rows, prompts counted with each answer."""
        return self.chosen.tokens + self.rejected.tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with an answer."""
        return max(self.chosen.longest, self.rejected.longest)

    @property
    def trained(self) -> int:
        """Tokens of all answers."""
        return self.chosen.trained + self.rejected.trained

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each pair, the same of pairs of the same answers, (rows,)."""
        both = np.stack([self.chosen.groups, self.rejected.groups], axis=1)
        return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)

    def take(self, rows: NDArray[np.int64]) -> PairRows:
        """The pairs numbered ``rows``, in that order."""
        return PairRows(self.chosen.take(rows), self.rejected.take(rows), self.margins[rows])

    @staticmethod
    def join(parts: Sequence[PairRows]) -> PairRows:
        """All pairs of ``parts``, in order."""
        return PairRows(
            TokenRows.join([part.chosen for part in parts]),
            TokenRows.join([part.rejected for part in parts]),
            np.concatenate([part.margins for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Answers with their prompts; ``good`` says which are wanted."""

    rows: TokenRows
    good: NDArray[np.bool_]  # (rows,)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return self.rows.tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with its answer."""
        return self.rows.longest

    @property
    def trained(self) -> int:
        """Tokens of all answers."""
        return self.rows.trained

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each answer, the same of answers to the same prompt, (rows,)."""
        answers = np.add.reduceat(self.rows.loss_mask, self.rows.starts, dtype=np.int64)
        return alike(self.rows.ids, self.rows.starts, self.rows.lengths - answers)

    def take(self, rows: NDArray[np.int64]) -> LabelledRows:
        """The rows numbered ``rows``, in that order."""
        return LabelledRows(self.rows.take(rows), self.good[rows])

    @staticmethod
    def join(parts: Sequence[LabelledRows]) -> LabelledRows:
        """All rows of ``parts``, in order."""
        return LabelledRows(
            TokenRows.join([part.rows for part in parts]), np.concatenate([part.good for part in parts])
        )
