"""The rows of one part of the data as token sequences; what cpt, sft and quantize share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from training import problems
from training.data.formats.conversations import Row
from training.data.preparing.collection import Encoded
from training.data.reading import sources
from training.data.tokens.token_rows import TokenRows

Tokens = tuple[list[int], list[int]]  # token ids (T), and the loss mask (T), 1 = trained on
EMPTY = "no text but white space"


def is_empty(row: Row) -> bool:
    """Whether it is a text without a word, of which nothing but its end could be learned."""
    return row.text is not None and not row.text.strip()


def encoded(
    rows: Sequence[Row], sequences: Callable[[Row], Iterable[Tokens] | str], ends: Collection[int] = ()
) -> Encoded[TokenRows]:
    """``rows`` as tokens; texts that are empty are dropped.

    Args:
        rows: all of a part.
        sequences: the sequences of one row, or why it is dropped.
        ends: the tokens whose trained occurrences are counted.

    Raises:
        BadRows: all rows that ``sequences`` has raised it for.
    """
    all_ids: list[int] = []
    all_masks: list[int] = []
    lengths: list[int] = []
    dropped: dict[str, int] = {}

    def of_row(row: Row) -> list[Tokens] | str:
        found = EMPTY if is_empty(row) else sequences(row)
        return found if isinstance(found, str) else list(found)

    for found in problems.each(rows, of_row):
        if isinstance(found, str):
            dropped[found] = dropped.get(found, 0) + 1
            continue
        for ids, mask in found:
            all_ids += ids
            all_masks += mask
            lengths.append(len(ids))
    tokens, loss_mask = np.array(all_ids, dtype=np.int32), np.array(all_masks, dtype=np.bool_)
    ends_trained = int((np.isin(tokens, list(ends)) & loss_mask).sum())
    made = TokenRows(tokens, loss_mask, np.array(lengths, dtype=np.int64))
    return Encoded(made, sources.digest(rows), dropped, ends_trained)
