"""How long the steps of grpo take, and their answers within them, as :mod:`training.ppo.stage` tells it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Of the steps since the last line of metrics."""

    rounds: int = 0  # times that answers were sampled; a step on those of before adds none
    tokens: int = 0  # of all processes' answers
    sampling: float = 0.0  # seconds in which answers were waited for
    stepping: float = 0.0  # seconds of whole steps, sampling and rewards among them
    _began: float = 0.0

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Within it a step's answers are sampled; their tokens are added by the caller."""
        began = time.monotonic()
        yield
        self.sampling += time.monotonic() - began
        self.rounds += 1

    def begin(self) -> None:
        """A step begins."""
        self._began = time.monotonic()

    def end(self) -> None:
        """A step ends."""
        self.stepping += time.monotonic() - self._began

    def line(self) -> dict[str, float]:
        """Seconds of sampling, the mean of a round, and tokens sampled a second of the steps; then all is 0.

        Nothing where nothing was sampled.
        """
        rounds, tokens, sampling, stepping = self.rounds, self.tokens, self.sampling, self.stepping
        self.rounds, self.tokens, self.sampling, self.stepping = 0, 0, 0.0, 0.0
        if not rounds:
            return {}
        return {
            "sampling_seconds": sampling / rounds,
            "tokens_per_second": round(tokens / max(stepping, 1e-9), 1),
        }
