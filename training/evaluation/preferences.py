"""Whether a served model finds the better of two answers likelier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.evaluation.measures import ratio
from training.evaluation.part import Done, Result
from training.evaluation.tokens import Tokens
from training.served.endpoint import Endpoint, each


@dataclass(frozen=True, slots=True)
class Preferences:
    """Pairs of a chosen and a rejected answer to one prompt."""

    name: str
    pairs: Sequence[tuple[Tokens, Tokens]]
    dropped: Mapping[str, int]

    @property
    def requests(self) -> int:
        """One an answer."""
        return 2 * len(self.pairs)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """Accuracy by the answers' log-probability, and by that of their tokens' mean; see ``Part``.

        A whole answer's log-probability falls with its length, the mean does not; where the two differ,
        length decides.
        """
        answers = [answer for pair in self.pairs for answer in pair]
        found = await each(answers, lambda answer: answer.logprob(endpoint), done)
        chosen, rejected = found[::2], found[1::2]
        of_tokens = [logprob / max(1, answer.count) for logprob, answer in zip(found, answers, strict=True)]
        ones = [1.0] * len(self.pairs)
        margins = [good - bad for good, bad in zip(chosen, rejected, strict=True)]
        token_margins = [good - bad for good, bad in zip(of_tokens[::2], of_tokens[1::2], strict=True)]
        details = [
            {
                "row": pair[0].where.removesuffix(" chosen"),
                "chosen_nats": round(-good, 4),
                "rejected_nats": round(-bad, 4),
                "tokens": [answer.count for answer in pair],
            }
            for pair, good, bad in zip(self.pairs, chosen, rejected, strict=True)
        ]
        measures = {
            "accuracy": ratio([_right(margin) for margin in margins], ones),
            "token_accuracy": ratio([_right(margin) for margin in token_margins], ones),
            "margin_nats": ratio(margins, ones),
        }
        return Result(measures, details)


def _right(margin: float) -> float:
    """A tie is half right."""
    return 0.5 if margin == 0 else float(margin > 0)
