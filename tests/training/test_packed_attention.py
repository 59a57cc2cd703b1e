"""Packed rows on a GPU are kept apart by where they begin; its kernel is written out here, row by row."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.data.test_packing import rows, separately
from tests.training.test_methods import SHAPES, of_shape
from training.data.tokens import batches
from training.models import base as bases
from training.models import packed_attention
from training.trainers import trl


def by_row(
    query: Tensor, key: Tensor, value: Tensor, *, bounds: Tensor, longest: int, scale: float | None
) -> Tensor:
    """What the GPU's kernel does, row by row."""
    assert int(bounds.diff().max()) == longest
    read = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        q, k, v = (tensor[start:end].transpose(0, 1) for tensor in (query, key, value))
        one = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scale, enable_gqa=True
        )
        read.append(one.transpose(0, 1))
    return torch.cat(read)


@pytest.mark.parametrize("shape", SHAPES)
def test_packed_attention_keeps_rows_apart_without_a_mask(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    asked = []

    def kernel(*given: Tensor, **bounds: Any) -> Tensor:
        asked.append(len(bounds["bounds"]) - 1)
        return by_row(*given, **bounds)

    monkeypatch.setattr(packed_attention, "by_row", kernel)
    monkeypatch.setattr(packed_attention, "_has_kernel", lambda query: True)
    model: Any = bases.load_model(str(of_shape(tmp_path / shape, base, shape)))
    given = rows([5, 40, 2, 17, 30, 9])
    total, count = separately(model, given)
    packed_attention.use(model)
    batch = batches.Collator(0, bounds=True)(list(trl.packed(given, 64).with_format("numpy")))
    with torch.no_grad():
        labels = batch.pop("labels")
        logits = model(**batch, use_cache=False).logits
        found = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=batches.IGNORED
        )
        apart_rows = len(asked)
        model(input_ids=torch.arange(10, 34)[None])  # whose rows are not packed
    assert float(found) == pytest.approx(total / count, abs=1e-5)
    assert len(asked) == apart_rows
    # A window and a cap of scores take the mask; else it is asked in each layer.
    assert apart_rows == (0 if shape in ("mistral", "gemma2") else 2)


def test_a_packed_batch_says_where_its_rows_begin() -> None:
    packed = trl.packed(rows([5, 40, 2, 17, 30, 9]), 64).with_format("numpy")
    batch = batches.Collator(0, bounds=True)(list(packed))
    positions = batch["position_ids"].flatten()
    bounds = batch["cu_seq_lens_q"].tolist()
    assert [int(positions[at]) for at in bounds[:-1]] == [0] * (len(bounds) - 1)
    assert bounds[-1] == positions.numel()
    assert batch["max_length_q"] == int(positions.max()) + 1 == int(np.diff(bounds).max())
    assert "cu_seq_lens_q" not in batches.Collator(0)(list(packed))


def test_batches_may_be_made_in_processes_that_are_spawned() -> None:
    """As on every system but Linux, and as Python has it from 3.14 on."""
    packed = trl.packed(rows([5, 40, 2]), 64).with_format("numpy")
    collator = batches.Collator(0, bounds=True)
    again = pickle.loads(pickle.dumps(collator))
    for name, numbers in collator(list(packed)).items():
        assert np.array_equal(again(list(packed))[name], numbers)
