"""What a run of the react chain has done so far, and what it may still do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.events import Usage
from chains.failures import Failures
from chains.fitted import Kept
from chains.parameters import tokens_left


@dataclass(slots=True)
class Ledger:
    """What the calls of one run came to."""

    steps: int  # calls that are allowed
    tokens: Mapping[str, int] = field(default_factory=dict)  # that all of them may or must write
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    trials: Usage = field(default_factory=Usage)  # of tokens that are no part of any answer
    cut: bool = False  # the last answer ran out of tokens
    failures: Failures = field(default_factory=Failures)
    kept: Kept = field(default_factory=Kept)

    @property
    def spent(self) -> bool:
        return self.calls >= self.steps

    @property
    def left(self) -> dict[str, int]:
        """The tokens that may or must be written still, by parameter; none once all are written."""
        return tokens_left(self.tokens, self.usage) or {}

    @property
    def most(self) -> int | None:
        """How many tokens may be written still; None: not bounded."""
        return min((many for name, many in self.left.items() if name != "min_tokens"), default=None)

    @property
    def written_out(self) -> bool:
        """Whether no token may be written any more."""
        return tokens_left(self.tokens, self.usage) is None
