"""A run that goes on from an adapter has its shape; a recipe that says another one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS
from tests.training.test_run import quiet
from training import outlook, run
from training.errors import AdapterError, BaseError
from training.runs.estimate import Estimate

SHAPE: dict[str, Any] = {
    "rank": 4,
    "alpha": 12,
    "targets": ["v_proj", "q_proj"],
    "rank_pattern": {"v_proj": 2},
    "alpha_pattern": {"layers.0.self_attn.q_proj": 6},
    "rslora": True,
}


@pytest.fixture
def first(recipe: Recipe, tmp_path: Path) -> Path:
    return run.train(recipe(name="first", lora=SHAPE, **{"train.steps": 1}), runs=tmp_path, report=quiet)


def shape(folder: Path) -> dict[str, Any]:
    """What PEFT was told, and the shape of each matrix."""
    config = json.loads((folder / artefact.CONFIG).read_bytes())
    keys = ("r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora")
    weights = {name: tuple(weight.shape) for name, weight in load_file(folder / artefact.WEIGHTS).items()}
    return {key: config[key] for key in keys} | weights


@pytest.mark.parametrize("lora", [None, {"rank": 4, "rslora": True, "targets": ["q_proj", "v_proj"]}])
def test_what_is_not_written_is_the_adapters(
    recipe: Recipe, first: Path, tmp_path: Path, lora: dict[str, Any] | None
) -> None:
    path = recipe(name="second", init_adapter=str(first), lora=lora, **{"train.steps": 1})
    expected = outlook.check(path, [], quiet)
    made = run.train(path, runs=tmp_path, report=quiet)
    assert shape(made) == shape(first)
    assert expected.served == "an adapter of rank 4, as it is"
    assert isinstance(expected.needs, Estimate)
    assert expected.needs.trainable == sum(w.numel() for w in load_file(made / artefact.WEIGHTS).values())
    kept = yaml.safe_load((tmp_path / "second" / "config.yaml").read_bytes())["lora"]
    assert kept == SHAPE | {"targets": ["q_proj", "v_proj"], "dropout": 0.0, "plus": 1.0}
    assert (
        run.train(tmp_path / "second" / "config.yaml", runs=tmp_path, report=quiet) == made
    )  # as it is told


def test_stages_without_these_keys_keep_the_adapters(recipe: Recipe, first: Path, tmp_path: Path) -> None:
    changes = {"train.steps": 1, "lora": None}
    path = recipe(PAIRS, form="pairs", stage="dpo", name="second", init_adapter=str(first), **changes)
    expected = outlook.check(path, [], quiet).needs
    made = run.train(path, runs=tmp_path, report=quiet)
    assert shape(made) == shape(first)
    assert isinstance(expected, Estimate)
    assert expected.trainable == sum(w.numel() for w in load_file(made / artefact.WEIGHTS).values())


@pytest.mark.parametrize(
    ("lora", "told"),
    [
        ({"rank": 8}, "rank is 8 in the recipe, 4 in the adapter"),
        ({"alpha": 16}, "alpha is 16 in the recipe, 12 in the adapter"),
        ({"targets": ["q_proj"]}, "targets is q_proj in the recipe, q_proj, v_proj in the adapter"),
        (
            {"rank_pattern": {"q_proj": 3}},
            "rank_pattern is {'q_proj': 3} in the recipe, {'v_proj': 2} in the",
        ),
        ({"alpha_pattern": {}}, "alpha_pattern is {} in the recipe, {'layers.0.self_attn.q_proj': 6} in the"),
        ({"rslora": False}, "rslora is False in the recipe, True in the adapter"),
    ],
)
def test_what_is_written_and_differs_is_refused(
    recipe: Recipe, first: Path, tmp_path: Path, lora: dict[str, Any], told: str
) -> None:
    path = recipe(name="second", init_adapter=str(first), lora=lora)
    for begin in (lambda: outlook.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(AdapterError) as caught:
            begin()
        assert told in str(caught.value)


def test_the_rank_of_a_policy_is_compared_too(online: Online, tmp_path: Path) -> None:
    first = run.train(online("ppo", name="first", **{"train.steps": 1}), runs=tmp_path, report=quiet)
    path = online("grpo", name="second", init_adapter=str(first), **{"lora.rank": 5, "lora.alpha": 3})
    with pytest.raises(AdapterError, match=r"alpha is 3 in the recipe, 8 in the adapter; rank is 5 .*, 4 in"):
        outlook.check(path, [], quiet)


@pytest.mark.parametrize("method", ["dora", "pissa", "prefix"])
def test_only_a_lora_goes_on(recipe: Recipe, tmp_path: Path, method: str) -> None:
    changes = {"lora": None, "train.steps": 1}
    first = run.train(recipe(name="first", method=method, **changes), runs=tmp_path, report=quiet)
    with pytest.raises(AdapterError, match=rf"is of the method {method}, and only lora and qlora go on"):
        outlook.check(recipe(name="second", init_adapter=str(first)), [], quiet)


def test_the_dropout_is_the_recipes(recipe: Recipe, first: Path, tmp_path: Path) -> None:
    lora = {"dropout": 0.5}
    path = recipe(name="second", init_adapter=str(first), lora=lora, **{"train.steps": 1})
    made = run.train(path, runs=tmp_path, report=quiet)
    assert json.loads((made / artefact.CONFIG).read_bytes())["lora_dropout"] == 0.5


def test_an_adapter_that_is_cut_short_is_refused(recipe: Recipe, first: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(first, tmp_path / "broken")
    whole = (first / artefact.WEIGHTS).read_bytes()
    (broken / artefact.WEIGHTS).write_bytes(whole[: len(whole) // 2])
    path = recipe(name="second", init_adapter=str(broken), lora=None)
    for begin in (lambda: outlook.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(BaseError, match=r"init_adapter .*adapter_model\.safetensors .* cut short"):
            begin()
    (broken / artefact.WEIGHTS).write_bytes(whole)
    (broken / artefact.CONFIG).write_text("{", encoding="utf-8")
    with pytest.raises(BaseError, match=r"init_adapter .*adapter_config\.json can't be read"):
        outlook.check(path, [], quiet)
