"""Votes over answers: self-consistency (Wang et al. 2022, arXiv:2203.11171, section 2), counted as they come.

The paper adds up all samples; here the count stops where no sample that is still out could change its result.
"""

from __future__ import annotations

from collections import Counter


class Tally:
    """The votes of ``samples`` answers, in whatever order they come."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._votes: Counter[str] = Counter()
        self._ballots: dict[int, str | None] = {}  # of a sample, by its index

    def add(self, index: int, vote: str | None) -> None:
        """Count ``vote`` of the sample ``index``; None abstains."""
        self._ballots[index] = vote
        if vote is not None:
            self._votes[vote] += 1

    @property
    def ballots(self) -> list[str | None]:
        """What was counted, in the order of the samples."""
        return [self._ballots[index] for index in sorted(self._ballots)]

    @property
    def decided(self) -> bool:
        """Whether no vote that is still out could bring another answer level with the first."""
        first, second = [*sorted(self._votes.values(), reverse=True), 0, 0][:2]
        return first - second > self._samples - len(self._ballots)

    @property
    def first(self) -> int:
        """The sample that speaks for the winner: of those that say it the one with the lowest index."""
        return min(index for index, vote in self._ballots.items() if vote == self.winner)

    @property
    def winner(self) -> str | None:
        """The answer with the most votes, of equals that of the lowest index; None: no votes."""
        return max(
            (vote for vote in self.ballots if vote is not None), key=self._votes.__getitem__, default=None
        )

    @property
    def votes(self) -> int:
        """How many the winner has."""
        return self._votes[self.winner] if self.winner is not None else 0
