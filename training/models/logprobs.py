"""The log-probability that a model gives to answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.tokens.token_rows import TokenRows

LOGITS = 1 << 26  # most numbers that a batch's logits may be; 256 MB


def answers(model: Any, rows: TokenRows, pad: int) -> NDArray[np.float64]:
    """The summed log-probability (nats) of each row's trained tokens, given all before them, (rows,)."""
    found = np.zeros(len(rows), np.float64)
    row_of = np.repeat(np.arange(len(rows)), rows.lengths)
    np.add.at(found, row_of[rows.loss_mask], each(model, rows, pad)[rows.loss_mask])
    return found


@torch.inference_mode()
def each(model: Any, rows: TokenRows, pad: int) -> NDArray[np.float64]:
    """The log-probability (nats) of each token given those before it in its row, (N,); 0 for the first."""
    training, vocabulary = model.training, int(model.config.get_text_config().vocab_size)
    model.eval()
    found = np.zeros(rows.tokens, np.float64)
    order = np.argsort(-rows.lengths, kind="stable")
    at = 0
    while at < len(order):
        longest = int(rows.lengths[order[at]])
        batch = order[at : at + max(1, LOGITS // (longest * vocabulary))]
        at += len(batch)
        ids = torch.full((len(batch), longest), pad)
        for i, row in enumerate(batch):
            start, length = int(rows.starts[row]), int(rows.lengths[row])
            ids[i, :length] = torch.from_numpy(rows.ids[start : start + length].astype(np.int64))
        ids = ids.to(model.device)
        # Padding stands behind everything that could look at it, so no mask is needed.
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()  # (B, T - 1, V)
        chosen = (logits.gather(2, ids[:, 1:, None])[..., 0] - logits.logsumexp(2)).double().cpu().numpy()
        for i, row in enumerate(batch):
            start, length = int(rows.starts[row]), int(rows.lengths[row])
            found[start + 1 : start + length] = chosen[i, : length - 1]
    model.train(training)
    return found
