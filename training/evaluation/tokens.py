"""Token sequences whose log-probability is asked for, and how they are made of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.formats.conversations import Row
from training.data.formats.pair import Pair
from training.data.preparing import prepare_pairs
from training.data.rendering import render
from training.errors import EndpointError, RequestRefused
from training.served.endpoint import Endpoint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sequence, and which of its tokens are measured."""

    where: str  # the row's place
    ids: Sequence[int]  # (T,)
    measured: Sequence[bool]  # (T,); the first is not, as it follows nothing

    @property
    def count(self) -> int:
        """How many tokens are measured."""
        return sum(self.measured)

    async def logprob(self, endpoint: Endpoint) -> float:
        """The measured tokens' summed log-probability, in nats.

        Raises:
            EndpointError, RequestRefused: they name the row.
        """
        try:
            found = (await endpoint.logprobs(self.ids)).values
        except RequestRefused as exc:
            raise RequestRefused(exc.status, f"{self.where} ({len(self.ids)} tokens): {exc}") from exc
        except EndpointError as exc:
            raise EndpointError(f"{self.where} ({len(self.ids)} tokens): {exc}") from exc
        return sum(n for n, wanted in zip(found, self.measured[1:], strict=True) if wanted)


def of_row(tokenizer: PreTrainedTokenizerBase, row: Row) -> Tokens:
    """What the assistant says in a conversation, or a whole text.

    Raises:
        BadRows: the chat template can't render it.
    """
    ids, learned = render.tokens(tokenizer, row, "cpt" if row.text is not None else "sft")
    return Tokens(row.where, ids, [False, *map(bool, learned[1:])])


def of_pair(tokenizer: PreTrainedTokenizerBase, pair: Pair, end: int | None) -> tuple[Tokens, Tokens]:
    """The chosen and the rejected answer, each behind the prompt; ``end`` closes a turn.

    Raises:
        BadRows: as ``of_row``.
    """
    answers = [prepare_pairs.tokens(tokenizer, pair, which, end) for which in ("chosen", "rejected")]
    asked = max(1, min(count for _, count in answers))  # one prompt for both, as in training
    chosen, rejected = (
        Tokens(f"{pair.where} {which}", ids, [at >= asked for at in range(len(ids))])
        for which, (ids, _) in zip(("chosen", "rejected"), answers, strict=True)
    )
    return chosen, rejected
