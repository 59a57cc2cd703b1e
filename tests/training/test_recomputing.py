"""Gradient checkpointing: less memory, and the same result to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.disturbed import assert_same
from tests.training.stages import Written
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.errors import BaseError, Undistributable
from training.models import base as bases
from training.models import recomputing
from training.recipe.methods import CACHED
from training.runs import processes

ON = {"train.gradient_checkpointing": True, "train.steps": 2}
OFF = {"train.steps": 2}


@pytest.fixture
def layers_computed(monkeypatch: pytest.MonkeyPatch) -> dict[bool, int]:
    """How often a layer was computed, by whether its gradient was wanted."""
    counts = {True: 0, False: 0}
    ordinary = LlamaDecoderLayer.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts[torch.is_grad_enabled()] += 1
        return ordinary(self, *args, **kwargs)

    monkeypatch.setattr(LlamaDecoderLayer, "forward", forward)
    return counts


@pytest.mark.parametrize("kind", ["cpt", "dpo from an adapter", "kto", "simpo", "rm", "ppo", "grpo"])
def test_each_stage_learns_the_same(
    written: Written, tmp_path: Path, kind: str, layers_computed: dict[bool, int]
) -> None:
    plain, twice = written(kind, "plain", **OFF), written(kind, "twice", **ON)
    layers_computed.update({True: 0, False: 0})
    made = run.train(plain, runs=tmp_path, report=quiet)
    once = dict(layers_computed)
    assert_same(made, run.train(twice, runs=tmp_path, report=quiet))
    assert layers_computed == {True: 3 * once[True], False: 2 * once[False]}


@pytest.mark.parametrize("method", ["freeze", "dora", "qlora", "p_tuning", "packed", "dropout"])
def test_each_method_learns_the_same(recipe: Recipe, tmp_path: Path, method: str) -> None:
    special: dict[str, dict[str, Any]] = {
        "packed": {"packing": True},
        "dropout": {"lora": {"rank": 4, "dropout": 0.3}},
    }
    changes = special.get(method) or {"method": method, "lora": None} | METHODS[method]
    made = run.train(recipe(name="plain", **changes, **OFF), runs=tmp_path, report=quiet)
    assert_same(made, run.train(recipe(name="twice", **changes, **ON), runs=tmp_path, report=quiet))


def test_in_bfloat16_too(written: Written, tmp_path: Path) -> None:
    """Where the adapters are multiplied by a function of ours."""
    narrow = {"train.precision": "bf16"}
    made = run.train(written("cpt", "plain", **narrow, **OFF), runs=tmp_path, report=quiet)
    assert_same(made, run.train(written("cpt", "twice", **narrow, **ON), runs=tmp_path, report=quiet))


@pytest.mark.parametrize("method", CACHED)
def test_keys_and_values_that_learn_are_refused(recipe: Recipe, method: str) -> None:
    path = recipe(method=method, lora=None, **ON)
    with pytest.raises(DocumentError, match=f"gradient_checkpointing: the method {method} learns keys"):
        recipes.load(path)


def test_twice_is_once(base: Path, layers_computed: dict[bool, int]) -> None:
    model: Any = bases.load_model(str(base))
    recomputing.use(recomputing.use(model))
    model(input_ids=torch.zeros(1, 8, dtype=torch.long)).logits.sum().backward()
    assert layers_computed[True] == 2 * 2  # layers, forward and once more on the way back


def test_what_has_no_layers_is_refused() -> None:
    with pytest.raises(BaseError, match="can't do it with this base's architecture"):
        recomputing.use(torch.nn.Linear(2, 2))


def test_deepspeed_is_refused(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(Undistributable, match="gradient_checkpointing: DeepSpeed"):
        processes.begin(recipes.load(recipe(**ON, **{"train.accumulate": 2})))
