"""Held-out texts and how likely a model finds them, in one unit before and after a change of vocabulary.

A perplexity is per token, and a tokenizer with more pieces has fewer, less likely tokens of the same text. So
nats are summed over the text and divided by the tokens that the *base's* tokenizer cuts it into; both
tokenizers are asked for the same characters, all but those of a row's first token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from training.cpt.mixture import Mixture
from training.cpt.vocabulary import Pieces
from training.data.rendering import render
from training.data.tokens import batches
from training.data.tokens.token_rows import TokenRows
from training.runs import progress
from training.trainers import trl

_GENERATOR = re.compile(r"[\w.]+:\w+\(")  # the label of one, whose arguments may be paths
_ITSELF = [0]  # one token of its own
NATS = progress.BY_TEXT  # and the source's name: nats per token of the base's tokenizer, in metrics.jsonl


@dataclass(frozen=True, slots=True)
class Text:
    """The held-out rows of one source."""

    name: str  # the file's without its folder, where no other is called so
    general: bool  # part of the probe; else new text
    rows: TokenRows  # by the run's tokenizer
    base_rows: TokenRows  # the same text by the base's; its loss mask is what both are asked for
    characters: int
    tokens: int  # of the run's tokenizer, for those characters
    tokens_before: int  # of the base's

    @property
    def base_tokens(self) -> int:
        """Those of the base's tokenizer that the text's nats are divided by."""
        return asked(self.base_rows)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of one text under one model."""

    nats: float
    tokens: int  # that were asked for
    right: int  # tokens that the model would choose


def asked(rows: TokenRows) -> int:
    """Tokens of ``rows`` that follow something and are learned."""
    mask = rows.loss_mask.copy()
    mask[rows.starts] = False
    return int(mask.sum())


def texts(mixture: Mixture, found: Pieces, tokenizer: Any, block: int) -> list[Text]:
    """The held-out texts of ``mixture`` in rows of at most ``block`` of the base's tokens."""
    made = []
    short = names(mixture.heldout)
    for name, rows in mixture.heldout.items():
        written = list(_written(rows, tokenizer))
        aligned, base_rows = align(rows, found, block)
        made.append(
            Text(
                short[name],
                name in mixture.probed,
                aligned,
                base_rows,
                characters=sum(len(_said(tokenizer, part)) for part in written),
                tokens=sum(len(part) for part in written),
                tokens_before=sum(len(found.get(int(token), _ITSELF)) for part in written for token in part),
            )
        )
    return made


def names(labels: Collection[str]) -> dict[str, str]:
    """Each source's label → its name without folders, or with as many as tell it from the others."""
    parts = {label: (label,) if _GENERATOR.match(label) else Path(label).parts for label in labels}
    found = {}
    for label, own in parts.items():
        depth = next(
            depth
            for depth in range(1, len(own) + 1)
            if depth == len(own) or sum(one[-depth:] == own[-depth:] for one in parts.values()) == 1
        )
        found[label] = "/".join(own[-depth:])
    return found


def align(rows: TokenRows, found: Pieces, block: int) -> tuple[TokenRows, TokenRows]:
    """``rows`` cut where ``block`` base tokens are full, and the same as base tokens."""
    if not found:
        short = rows.cut(block)
        return short, short
    ids: list[int] = []
    mask: list[bool] = []
    lengths: list[int] = []
    base_lengths: list[int] = []
    for start, length in zip(rows.starts, rows.lengths, strict=True):
        room = 0
        for at in range(start, start + length):
            old = found.get(int(rows.ids[at])) or [int(rows.ids[at])]
            first = len(old) > room
            if first:
                room = block
                lengths.append(0)
                base_lengths.append(0)
            ids += old
            mask += [bool(rows.loss_mask[at]) and not first] * len(old)
            lengths[-1] += 1
            base_lengths[-1] += len(old)
            room -= len(old)
    return (
        TokenRows(rows.ids, rows.loss_mask, np.array(lengths, dtype=np.int64)),
        TokenRows(
            np.array(ids, dtype=np.int32),
            np.array(mask, dtype=np.bool_),
            np.array(base_lengths, dtype=np.int64),
        ),
    )


def likelihood(
    model: Any,
    rows: TokenRows,
    *,
    block: int,
    batch_rows: int,
    pad: int,
    arithmetic: AbstractContextManager[Any],
) -> Likelihood:
    """How likely ``model`` finds ``rows``, packed into blocks as in training; ``arithmetic`` as there."""
    packed = trl.packed(rows, block).with_format("numpy")
    collate = batches.Collator(pad)
    nats, tokens, right = 0.0, 0, 0
    training = model.training
    model.eval()
    with torch.no_grad(), arithmetic:
        for batch in _batches(packed, batch_rows):
            on_device = {name: value.to(model.device) for name, value in collate(batch).items()}
            labels = on_device.pop("labels")[:, 1:]
            logits = model(**on_device, use_cache=False).logits[:, :-1]  # (B, T-1, V)
            for row, answer in zip(logits, labels, strict=True):
                known = answer != batches.IGNORED
                said, answers = row[known].float(), answer[known]
                nats += cross_entropy(said, answers, reduction="sum").item()
                right += int((said.argmax(-1) == answers).sum())
                tokens += len(answers)
    model.train(training)
    return Likelihood(nats, tokens, right)


def perplexity(nats_per_token: float) -> float:
    """e to the nats; infinite where that is no number any more."""
    return math.exp(nats_per_token) if nats_per_token < 700 else math.inf


def _batches(rows: Any, size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield [rows[at] for at in range(start, min(start + size, len(rows)))]


def _written(rows: TokenRows, tokenizer: Any) -> Iterator[NDArray[np.int32]]:
    """The tokens of each row without the end of text, which nobody wrote."""
    end = render.end_of_text(tokenizer)
    for start, length in zip(rows.starts, rows.lengths, strict=True):
        part = rows.ids[start : start + length]
        yield part[part != end]


def _said(tokenizer: Any, tokens: NDArray[np.int32]) -> str:
    """The tokens' text, marks of turns included."""
    return str(tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))
