"""Held-out loss and perplexity of a served model: the same tokens and loss as ``eval_loss`` of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.evaluation.measures import exponential, ratio
from training.evaluation.part import Done, Result
from training.evaluation.tokens import Tokens
from training.served.endpoint import Endpoint, each


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Rows whose tokens are measured."""

    name: str
    rows: Sequence[Tokens]
    dropped: Mapping[str, int]

    @property
    def requests(self) -> int:
        """One a row."""
        return len(self.rows)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """Nats a token and perplexity; see :class:`training.evaluation.part.Part`."""
        logprobs = await each(self.rows, lambda row: row.logprob(endpoint), done)
        counts = [row.count for row in self.rows]
        loss = ratio([-logprob for logprob in logprobs], counts)
        details = [
            {"row": row.where, "nats": round(-logprob, 4), "tokens": count}
            for row, logprob, count in zip(self.rows, logprobs, counts, strict=True)
        ]
        return Result({"nats_per_token": loss, "perplexity": exponential(loss)}, details)
