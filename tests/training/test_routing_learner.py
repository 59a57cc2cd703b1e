"""How an encoder learns intents: its directions, batches, loss, hidden words and checkpoints."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.intents import loaded, write
from training.routing import checkpoint as checkpoints
from training.routing.batches import batches, steps_of
from training.routing.learner import Learner
from training.routing.losses import contrast


def test_a_checkpoint_brings_everything_back(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder))
    given, classes = ["the apple", "my river"], [0, 1]
    one, other = (Learner(recipe, stage.load(recipe), 2) for _ in range(2))
    one.begin(given, classes)
    one.step(1, 4, given, classes)
    checkpoints.save(one, tmp_path / "checkpoints", 1)
    checkpoints.load(other, tmp_path / "checkpoints" / "checkpoint-1")
    assert one.step(2, 4, given, classes) == other.step(2, 4, given, classes)
    assert torch.equal(one.directions, other.directions)


def test_the_directions_begin_as_the_intents_means(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder))
    model = stage.load(recipe)
    learner = Learner(recipe, model, 2)
    given = ["the apple", "old pear", "my river"]
    learner.begin(given, [0, 0, 1])
    vectors = model.encode(given, normalize_embeddings=True)
    mean = vectors[:2].sum(axis=0)
    expected = np.stack([mean / np.linalg.norm(mean), vectors[2]])
    np.testing.assert_allclose(learner.directions.detach().numpy(), expected, atol=1e-5)


def test_the_result_lies_between_what_was_and_what_was_learned(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder)).model_copy(update={"kept": 0.25})
    learner = Learner(recipe, stage.load(recipe), 2)
    before = {name: weight.detach().clone() for name, weight in learner.weights.items()}
    learner.begin(["the apple", "my river"], [0, 1])
    learner.step(1, 1, ["the apple", "my river"], [0, 1])
    after = {name: weight.detach().clone() for name, weight in learner.weights.items()}
    learner.step_back()
    for name, weight in learner.weights.items():
        torch.testing.assert_close(weight.detach(), 0.25 * before[name] + 0.75 * after[name])
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_words_are_hidden_while_it_learns_and_never_else(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder)).model_copy(update={"masked": 0.999999})
    model = stage.load(recipe)
    seen: list[torch.Tensor] = []
    model[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]["input_ids"]))
    learner = Learner(recipe, model, 2)
    learner.begin(["the apple", "my river"], [0, 1])
    learner.step(1, 1, ["the apple", "my river"], [0, 1])
    whole, hidden = seen[-2:]
    unknown = model.tokenizer.unk_token_id
    assert (hidden == unknown).all()
    assert not (whole == unknown).any()


def test_an_epoch_takes_every_row_once_an_intents_in_twos_and_like_lengths_together() -> None:
    lengths, classes = [n % 7 for n in range(40)], [n % 5 for n in range(40)]

    def epoch(number: int, rows: int = 40) -> list[list[int]]:
        return batches(lengths[:rows], classes[:rows], 8, seed=3, epoch=number)

    found = epoch(0)
    assert sorted(place for batch in found for place in batch) == list(range(40))
    assert found == epoch(0) != epoch(1)
    assert all(
        classes[a] == classes[b] for batch in found for a, b in zip(batch[::2], batch[1::2], strict=True)
    )
    sums = [sorted(lengths[a] + lengths[b] for a, b in zip(m[::2], m[1::2], strict=True)) for m in found]
    assert all(a[-1] <= b[0] for a, b in pairwise(sorted(sums)))
    assert [len(batch) for batch in epoch(0, 20)] == [8, 8]
    assert sorted(place for batch in epoch(0, 15) for place in batch) != list(range(15))  # odd: one waits
    assert [len(batch) for batch in epoch(0, 6)] == [6]
    assert (steps_of(40, 8, 1.5), steps_of(20, 8, 2), steps_of(5, 8, 1)) == (8, 4, 1)


def test_an_intents_texts_are_drawn_to_each_other() -> None:
    """Three vectors, the first two of one intent, at 60 and 90 degrees: similarities 0.5, 0 and cos 30.

    The first loses -ln(e^5 / (e^5 + e^0)), the second -ln(e^5 / (e^5 + e^(10 cos 30))); the third, which is
    alone, nothing.
    """
    half, high = 0.5, math.cos(math.pi / 6)
    vectors = torch.tensor([[1.0, 0.0], [half, high], [0.0, 1.0]])
    first = math.log1p(math.exp(-5))
    second = math.log1p(math.exp(10 * high - 5))
    found = contrast(vectors, torch.tensor([4, 4, 9]))
    assert float(found) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(contrast(vectors, torch.tensor([0, 1, 2]))) == 0
