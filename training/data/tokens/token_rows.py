"""Token sequences with their loss mask, as arrays that a million rows fit in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Token sequences of different length, end to end."""

    ids: NDArray[np.int32]  # all tokens, (N,)
    loss_mask: NDArray[np.bool_]  # (N,): True = trained on
    lengths: NDArray[np.int64]  # tokens of each row, (rows,), summing to N

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return len(self.ids)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return int(self.lengths.max())

    @property
    def trained(self) -> int:
        """Tokens that are trained on."""
        return int(self.loss_mask.sum())

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each row begins, (rows,)."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each row, the same of rows of the same tokens, (rows,)."""
        return alike(self.ids, self.starts, self.lengths)

    def take(self, rows: NDArray[np.int64]) -> TokenRows:
        """The rows numbered ``rows``, in that order."""
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        at = np.repeat(self.starts[rows], lengths) + within
        return TokenRows(self.ids[at], self.loss_mask[at], lengths)

    def cut(self, longest: int) -> TokenRows:
        """Every row that is longer in parts of ``longest`` tokens and a rest."""
        if (self.lengths <= longest).all():
            return self
        parts = [
            part
            for length in self.lengths
            for part in (*[longest] * (length // longest), length % longest)
            if part
        ]
        return TokenRows(self.ids, self.loss_mask, np.array(parts, dtype=np.int64))

    @staticmethod
    def join(parts: Sequence[TokenRows]) -> TokenRows:
        """All rows of ``parts``, in order."""
        return TokenRows(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.loss_mask for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )


def alike(ids: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each of the spans of ``ids``, the same of spans of the same tokens, (spans,)."""
    seen: dict[bytes, int] = {}
    spans = (ids[start : start + length].tobytes() for start, length in zip(starts, lengths, strict=True))
    found = (seen.setdefault(blake2b(span, digest_size=16).digest(), len(seen)) for span in spans)
    return np.fromiter(found, np.int64, len(lengths))
