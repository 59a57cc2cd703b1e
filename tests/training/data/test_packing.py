"""Rows that share a block learn as if they were alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pointsman import artefact
from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.data.tokens import batches
from training.data.tokens.token_rows import TokenRows
from training.models import base as bases
from training.recipe import SftRecipe
from training.runs.folder import RunFolder
from training.trainers import likelihood, trl
from training.trainers.supervised import Given

BLOCK = 64


@pytest.fixture
def model(base: Path) -> Any:
    """The tiny model with its weights made larger, so that what a token can see matters to its loss."""
    loaded: Any = bases.load_model(str(base))
    with torch.no_grad():
        for parameter in loaded.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)
    return loaded


def rows(lengths: list[int], seed: int = 0) -> TokenRows:
    """Random tokens and masks."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    return TokenRows(
        rng.integers(10, 260, total, dtype=np.int32), rng.random(total) < 0.7, np.array(lengths, np.int64)
    )


def alone(model: Any, ids: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> tuple[float, int]:
    """Summed loss of one row and its trained tokens, written out with torch's own cross entropy."""
    tokens = torch.from_numpy(ids.astype(np.int64))
    with torch.no_grad():
        logits = model(input_ids=tokens[None]).logits[0]
    losses = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:], reduction="none")
    trained = torch.from_numpy(mask[1:].copy())
    return float(losses[trained].double().sum()), int(trained.sum())


def separately(model: Any, given: TokenRows) -> tuple[float, int]:
    sums = [
        alone(model, given.ids[start : start + length], given.loss_mask[start : start + length])
        for start, length in zip(given.starts, given.lengths, strict=True)
    ]
    return sum(loss for loss, _ in sums), sum(count for _, count in sums)


def build(model: Any, tokenizer: Any, given: Any, folder: Path) -> Any:
    recipe = SftRecipe.model_validate(
        {
            "stage": "sft",
            "name": "packed",
            "alias": "packed",
            "base": "it is given",
            "data": {"sources": [{"path": "rows.jsonl", "format": "messages"}]},
            "train": {"learning_rate": 0.1, "batch_rows": 3, "precision": "fp32"},
        }
    )
    made_with = Given(model, tokenizer, None, RunFolder(folder), [], print)  # type: ignore[arg-type]
    return likelihood.build(recipe, made_with, given, given)


def test_packed_loss_is_the_sum_of_separate_losses(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    given = rows([5, 40, 2, 17, 30, 9, 64, 12, 33, 1])
    packed = trl.packed(given, BLOCK)
    assert len(packed) < len(given)
    training = build(model, tokenizer, packed, tmp_path)
    total, count = separately(model, given)
    batch = training.data_collator(list(training.train_dataset))
    assert int((batch["labels"] != batches.IGNORED).sum()) == count
    with torch.no_grad():
        loss = float(training.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(count)))
        assert loss == pytest.approx(total / count, abs=1e-5)
        # And it would show: with positions that run on through a block, its rows see each other.
        batch["position_ids"] = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["input_ids"])
        leaking = float(training.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(count)))
    assert abs(leaking - loss) > 1e-2


def gradients(model: Any) -> dict[str, torch.Tensor]:
    """Of every weight, which are then forgotten."""
    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    return found


def test_packed_gradients_are_the_sum_of_separate_ones(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    given = rows([5, 40, 2, 17, 30, 9, 64, 12, 33, 1], seed=3)
    training = build(model, tokenizer, trl.packed(given, BLOCK), tmp_path)
    batch = training.data_collator(list(training.train_dataset))
    count = torch.tensor(int((batch["labels"] != batches.IGNORED).sum()))
    training.compute_loss(model, dict(batch), num_items_in_batch=count).backward()
    packed = gradients(model)

    for start, length in zip(given.starts, given.lengths, strict=True):
        ids = torch.from_numpy(given.ids[start : start + length].astype(np.int64))
        trained = torch.from_numpy(given.loss_mask[start + 1 : start + length].copy())
        logits = model(input_ids=ids[None]).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
        torch.autograd.backward(losses[trained].sum() / count)
    apart = gradients(model)

    assert packed.keys() == apart.keys()
    for name, gradient in apart.items():
        torch.testing.assert_close(packed[name], gradient, rtol=1e-4, atol=1e-6)
    longest = torch.cat([gradient.flatten() for gradient in apart.values()]).norm()
    batch["position_ids"] = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["input_ids"])
    training.compute_loss(model, dict(batch), num_items_in_batch=count).backward()
    leaking = gradients(model)
    difference = torch.cat([(leaking[name] - apart[name]).flatten() for name in apart]).norm()
    assert difference > 0.01 * longest  # so it would show if rows saw each other


def test_rows_padded_beside_each_other_learn_as_alone(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    given = rows([5, 40, 2, 17], seed=1)
    training = build(model, tokenizer, batches.dataset(given), tmp_path)
    total, count = separately(model, given)
    batch = training.data_collator(list(training.train_dataset))
    with torch.no_grad():
        loss = float(training.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(count)))
    assert loss == pytest.approx(total / count, abs=1e-5)


def test_evaluation_keeps_packed_rows_apart_too(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    given = rows([20, 40, 4], seed=2)  # one block
    training = build(model, tokenizer, trl.packed(given, BLOCK), tmp_path)
    total, count = separately(model, given)
    assert training.evaluate()["eval_loss"] == pytest.approx(total / count, abs=1e-5)


def test_a_row_longer_than_a_block_is_cut_and_nothing_is_lost() -> None:
    given = rows([3 * BLOCK + 5, 7])
    packed = trl.packed(given, BLOCK)
    assert sorted(token for block in packed["input_ids"] for token in block) == sorted(given.ids.tolist())
    assert max(len(block) for block in packed["input_ids"]) == BLOCK
    lengths = sorted(int(length) for block in packed["seq_lengths"] for length in block)
    assert lengths == [5, 7, BLOCK, BLOCK, BLOCK]


def test_a_run_packs_its_rows_and_learns_the_same(recipe: Recipe, tmp_path: Path) -> None:
    """One step on all rows: 40 sequences of a conversation each, or at most 12 of several."""
    losses = []
    for packing, sequences in ((False, 40), (True, 12)):
        changes = {"train.steps": None, "train.batch_rows": sequences, "train.log_every": 1}
        made = run.train(recipe(packing=packing, **changes), runs=tmp_path / str(packing), report=quiet)
        assert artefact.read_manifest(made).metrics["steps"] == 1
        losses.append(metrics(tmp_path / str(packing) / "tiny")[0]["loss"])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize("method", ["prefix", "p_tuning", "p_tuning_v2", "prompt_tuning"])
def test_virtual_tokens_are_not_packed(recipe: Recipe, method: str) -> None:
    path = recipe(packing=True, method=method, lora=None)
    with pytest.raises(DocumentError, match=f"packing: the method {method} puts its virtual tokens in front"):
        recipes.load(path)
