"""Votes over answers: self-consistency (Wang et al. 2022, arXiv:2203.11171, section 2), counted in order.

The paper adds up all samples; here the count stops where no sample that is still out could change its result.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from decimal import Decimal
from typing import Literal

VoteOn = Literal["text", "number"]
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\d)")
_WORD = re.compile(r"-?\d+(?:[.,]\d+)*|\w+")


def ballot(answer: str, on: VoteOn) -> str | None:
    """What of ``answer`` is voted on: equal for answers that say the same. None: there is no answer.

    ``number``: the last number, as a plain decimal; the text where there is none. ``text``: its words and
    numbers, without case, white space, punctuation and width.
    """
    plain = unicodedata.normalize("NFKC", answer).replace("−", "-")
    if on == "number" and (found := _NUMBER.findall(plain)):
        number = Decimal(found[-1].replace(",", ""))
        return f"{number:f}".rstrip("0").rstrip(".") if number != number.to_integral() else f"{int(number)}"
    return " ".join(_WORD.findall(plain.casefold())) or None


class Tally:
    """The votes of ``samples`` answers, taken one after the other."""

    def __init__(self, samples: int) -> None:
        self._left = samples
        self._votes: Counter[str] = Counter()
        self.ballots: list[str | None] = []

    def add(self, vote: str | None) -> None:
        """Count ``vote``; None abstains."""
        self._left -= 1
        self.ballots.append(vote)
        if vote is not None:
            self._votes[vote] += 1

    @property
    def decided(self) -> bool:
        """Whether no vote that is still out could bring another answer level with the first."""
        first, second = [*sorted(self._votes.values(), reverse=True), 0, 0][:2]
        return first - second > self._left

    @property
    def winner(self) -> str | None:
        """The answer with the most votes, of equals the one that was given first; None: no votes."""
        return max(self._votes, key=lambda vote: self._votes[vote], default=None)

    @property
    def votes(self) -> int:
        """How many the winner has."""
        return self._votes[self.winner] if self.winner is not None else 0
