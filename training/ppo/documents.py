"""Text that is mixed into the policy's learning (PPO-ptx), in batches that a seed decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from training.data.preparing import prepare_rows
from training.data.preparing.collection import Prepared, Report
from training.data.tokens.token_rows import TokenRows
from training.recipe import Pretraining, Source


@dataclass(frozen=True, slots=True)
class _Data:
    """None of it is kept to evaluate on: what the policy has forgotten, rewards don't say."""

    sources: Sequence[Source]
    max_tokens: int
    validation_rows: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """Every token of the text is learned, as in cpt."""

    data: _Data
    seed: int
    stage: Literal["cpt"] = "cpt"


@dataclass(frozen=True, slots=True)
class TextBatches:
    """Documents, each cut to ``max_tokens``."""

    rows: TokenRows
    batch_rows: int
    max_tokens: int
    pad: int
    device: torch.device

    def batch(self, seed: int) -> tuple[Tensor, Tensor]:
        """See :class:`training.ppo.learner.Documents`; rows are drawn with replacement."""
        drawn = np.random.default_rng(seed).integers(len(self.rows), size=self.batch_rows)
        starts, lengths = self.rows.starts[drawn], np.minimum(self.rows.lengths[drawn], self.max_tokens)
        ids = np.full((len(drawn), int(lengths.max())), self.pad, np.int64)
        mask = np.zeros(ids.shape, np.bool_)
        for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            ids[row, :length] = self.rows.ids[start : start + length]
            mask[row, :length] = self.rows.loss_mask[start : start + length]
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)


def load(
    plan: Pretraining, base: str, *, seed: int, pad: int, device: torch.device, report: Report
) -> tuple[TextBatches, dict[str, str]]:
    """The documents that a recipe names, and the hash of each source.

    Raises:
        SourceError, BadRows, NothingToLearn: as ``training.data.preparing.prepare_rows.prepare`` does.
    """
    found = prepared(plan, base, seed, report)
    batches = TextBatches(found.train, plan.batch_rows, plan.data.max_tokens, pad, device)
    return batches, found.hashes


def prepared(plan: Pretraining, base: str, seed: int, report: Report) -> Prepared[TokenRows]:
    """The documents as tokens; raises as :func:`load` does."""
    data = _Data(plan.data.sources, plan.data.max_tokens)
    return prepare_rows.prepare(_Plan(data, seed), base, report)
