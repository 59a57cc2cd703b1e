"""What is known before a run begins: how its result is served, and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.preferences import pair
from tests.training.rows import said
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import outlook, run
from training import recipe as recipes
from training.errors import AdapterError, BaseError, NothingToLearn, RewardError
from training.methods import choice
from training.models import base as bases
from training.recipe import SftRecipe
from training.runs import estimate
from training.runs.estimate import Estimate, duration
from training.trainers import loop

SERVED = {
    "lora": "an adapter of rank 4, as it is",
    "qlora": "an adapter of rank 4, as it is",
    "dora": "not as it is; `pointsman convert --to lora` gives a LoRA by singular values, --to base: merged",
    "pissa": "not as it is; `pointsman convert --to lora` gives a LoRA, exact, --to base: merged",
    "full": "not as it is; `pointsman convert --to lora` gives a LoRA by singular values, --to base: its",
    "freeze": "not as it is; `pointsman convert --to lora` gives a LoRA by singular values, --to base: its",
    "prefix": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "p_tuning": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "p_tuning_v2": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
    "prompt_tuning": "not as it is; `pointsman convert --to lora` gives a LoRA by distillation",
}


def loaded(path: Path) -> SftRecipe:
    found = recipes.load(path)
    assert isinstance(found, SftRecipe)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_what_is_counted_without_weights_is_what_learns(recipe: Recipe, base: Path, method: str) -> None:
    plan = loaded(recipe(method=method, **{"lora": None} | METHODS[method]))
    assert outlook.served(plan).startswith(SERVED[method])
    before = estimate.of(choice.outline(plan), plan)
    assert before == estimate.of(choice.prepared(plan, choice.plain_base(plan)), plan)
    assert (before.trainable == before.parameters) == (method == "full")
    assert before.optimiser == 8 * before.trainable


def test_a_recipe_is_looked_at_with_its_data(recipe: Recipe) -> None:
    found = outlook.check(recipe(**{"train.steps": None, "train.epochs": 2.0}), ["train.accumulate=3"], quiet)
    assert found.steps == 8  # two epochs of 40 rows in steps of 12
    assert found.tokens
    assert found.seconds
    assert [line.partition(" ")[0] for line in found.lines] == ["served:", "4,352", "8"]
    with pytest.raises(NothingToLearn, match=r"longer than max_tokens \(16\)"):
        outlook.check(recipe([said("red? " * 30, "green")] * 4, **{"data.max_tokens": 16}), [], quiet)
    with pytest.raises(BaseError, match="can't be loaded"):
        outlook.check(recipe(base="no/such/folder"), [], quiet)
    with pytest.raises(DocumentError, match="belongs to the method prefix"):
        outlook.check(recipe(prefix={"tokens": 3}), [], quiet)


def test_what_a_run_would_begin_with_is_looked_for(recipe: Recipe, online: Online, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"init_adapter .*manifest\.json: no such file"):
        outlook.check(recipe(init_adapter=str(tmp_path / "none")), [], quiet)
    for reward, problem in (
        ({"rule": "tests.training.asking:none"}, "rewards: .*none"),
        ({"model": str(tmp_path / "none")}, "none: no such folder; .* stage rm makes one"),
        ({"model": str(tmp_path)}, r"manifest\.json: no such file"),
    ):
        with pytest.raises(RewardError, match=problem):
            outlook.check(online("ppo", rewards=[reward]), [], quiet)
    assert outlook.check(online("ppo"), [], quiet).steps == 3


def test_the_activations_are_about_what_torch_keeps_for_the_way_back(recipe: Recipe, base: Path) -> None:
    plan = loaded(recipe(method="full", lora=None, **{"train.batch_rows": 2, "data.max_tokens": 250}))
    model: Any = bases.load_model(str(base))
    fixed = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in fixed:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = model.model(input_ids=torch.zeros(2, 256, dtype=torch.long)).last_hidden_state
    assert held.requires_grad
    assert estimate.of(model, plan).activations == pytest.approx(sum(kept.values()), rel=0.5)


@pytest.mark.parametrize(
    ("loss", "options"),
    [("sigmoid", {}), ("sigmoid", {"train.gradient_checkpointing": True}), ("simpo", {})],
)
def test_a_run_takes_about_the_memory_that_was_estimated(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, options: dict[str, Any]
) -> None:
    peaks: list[int] = []

    def watched(*given: Any) -> None:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watcher:
            learn(*given)
        changes = [event.nbytes() for event in watcher.profiler.kineto_results.events() if _is_memory(event)]
        peaks.append(int(np.cumsum(changes).max()))

    learn = loop.train
    monkeypatch.setattr(loop, "train", watched)
    rows = [pair("Where? " * 40, "red " * 60, "blue " * 60)] * 12
    path = recipe(rows, stage="dpo", form="pairs", loss=loss, **options, **{"train.steps": 1})
    told: list[str] = []
    run.train(path, runs=tmp_path, report=told.append)
    expected = outlook.check(path, [], quiet).needs
    assert isinstance(expected, Estimate)
    assert f"tiny: {expected}" in told
    assert 0.9 < (expected.memory - expected.weights) / peaks[0] < 1.5  # the weights are there before


def _is_memory(event: Any) -> bool:
    """Whether the profiler's ``event`` is memory that was taken or given back."""
    return bool(event.name() == "[memory]")


def test_the_longest_row_counts_and_not_what_is_allowed(recipe: Recipe) -> None:
    short, long = (outlook.check(recipe(**{"data.max_tokens": n}), [], quiet).needs for n in (256, 500))
    assert short == long


def test_durations_are_said_in_the_unit_that_suits_them() -> None:
    assert [duration(s) for s in (0.2, 89, 91, 5000, 9000)] == ["1 s", "89 s", "2 min", "83 min", "2.5 h"]
