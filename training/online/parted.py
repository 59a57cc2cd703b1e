"""Sampling and scoring that several processes share: each does a part, and all get the whole.

An answer and its score are those that one process alone would have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.online.answers import Answers, Ids, Sampler
from training.online.rewards import Columns, Conversation, Reward, Rewards
from training.online.server import ServerSampler
from training.runs import processes


@dataclass(frozen=True, slots=True)
class PartedSampler:
    """The processes take batches in turn; the first takes all where a server does the work.

    One process alone gives adapters to a server.
    """

    own: Sampler
    batch_rows: int  # answers that are sampled at once

    def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
        """See :class:`training.online.answers.Sampler`."""
        batches = range(0, len(prompts), self.batch_rows)
        if isinstance(self.own, ServerSampler):
            mine = {0: self.own.sample(prompts, seed)} if processes.keeps() else {}
        else:
            mine = {
                start: self.own.sample(prompts[start : start + self.batch_rows], seed + start)
                for start in batches[processes.rank() :: processes.count()]
            }
        found: dict[int, Answers] = {}
        for theirs in processes.gathered(mine):
            found |= theirs
        parts = [found[start] for start in sorted(found)]
        if len(parts) == 1:
            return parts[0]
        return Answers(
            [ids for part in parts for ids in part.ids], [one for part in parts for one in part.stopped]
        )


def rewards(whole: Rewards) -> Rewards:
    """``whole``, each of whose rewards scores a part of the answers in every process."""
    return Rewards(tuple(replace(part, score=partial(_score, part)) for part in whole.parts))


def _score(
    reward: Reward, prompts: Sequence[Conversation], completions: Sequence[str], columns: Columns
) -> NDArray[np.float64]:
    mine = processes.part(len(prompts))
    given = {name: values[mine] for name, values in columns.items()}
    found = reward.score(prompts[mine], completions[mine], given) if prompts[mine] else np.zeros(0)
    return np.concatenate(processes.gathered(found))
