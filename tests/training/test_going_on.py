"""A run that goes on from an adapter has its shape; a recipe that says another one is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load, load_file, save
from torch import Tensor

from pointsman import artefact
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS
from tests.training.test_run import quiet
from training import run
from training.errors import AdapterError
from training.preflight import check
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
    expected = check.check(path, [], quiet)
    made = run.train(path, runs=tmp_path, report=quiet)
    assert shape(made) == shape(first)
    assert expected.served.startswith("an adapter of rank 4, as it is")
    assert isinstance(expected.needs, Estimate)
    assert expected.needs.trainable == sum(w.numel() for w in load_file(made / artefact.WEIGHTS).values())
    kept = yaml.safe_load((tmp_path / "second" / "config.yaml").read_bytes())["lora"]
    assert kept == SHAPE | {"targets": ["q_proj", "v_proj"], "dropout": 0.0, "plus": 1.0}
    assert (
        run.train(tmp_path / "second" / "config.yaml", runs=tmp_path, report=quiet) == made
    )  # as it is told


def test_a_preference_keeps_the_adapters_shape(recipe: Recipe, first: Path, tmp_path: Path) -> None:
    changes = {"train.steps": 1, "lora": None}
    path = recipe(PAIRS, form="pairs", stage="dpo", name="second", init_adapter=str(first), **changes)
    expected = check.check(path, [], quiet).needs
    made = run.train(path, runs=tmp_path, report=quiet)
    assert shape(made) == shape(first)
    assert isinstance(expected, Estimate)
    assert expected.trainable == sum(w.numel() for w in load_file(made / artefact.WEIGHTS).values())


def changed(**values: Any) -> Callable[[bytes], bytes]:
    """What makes a JSON object one with other ``values``."""
    return lambda whole: json.dumps({**json.loads(whole), **values}).encode()


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
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(AdapterError) as caught:
            begin()
        assert told in str(caught.value)


def test_the_rank_of_a_policy_is_compared_too(online: Online, tmp_path: Path) -> None:
    first = run.train(online("ppo", name="first", **{"train.steps": 1}), runs=tmp_path, report=quiet)
    path = online("grpo", name="second", init_adapter=str(first), **{"lora.rank": 5, "lora.alpha": 3})
    with pytest.raises(AdapterError, match=r"alpha is 3 in the recipe, 8 in the adapter; rank is 5 .*, 4 in"):
        check.check(path, [], quiet)


@pytest.mark.parametrize("method", ["dora", "pissa", "prefix"])
def test_only_a_lora_goes_on(recipe: Recipe, tmp_path: Path, method: str) -> None:
    changes = {"lora": None, "train.steps": 1}
    first = run.train(recipe(name="first", method=method, **changes), runs=tmp_path, report=quiet)
    with pytest.raises(AdapterError, match=rf"is of the method {method}, and only lora and qlora go on"):
        check.check(recipe(name="second", init_adapter=str(first)), [], quiet)


def test_the_dropout_is_the_recipes(recipe: Recipe, first: Path, tmp_path: Path) -> None:
    lora = {"dropout": 0.5}
    path = recipe(name="second", init_adapter=str(first), lora=lora, **{"train.steps": 1})
    made = run.train(path, runs=tmp_path, report=quiet)
    assert json.loads((made / artefact.CONFIG).read_bytes())["lora_dropout"] == 0.5


def rewritten(change: Callable[[dict[str, Tensor]], object]) -> Callable[[bytes], bytes]:
    """What makes weights others by ``change``."""

    def make(whole: bytes) -> bytes:
        held = load(whole)
        change(held)
        return bytes(save(held, metadata={"format": "pt"}))

    return make


def one_less(held: dict[str, Tensor]) -> None:
    """Leave one matrix out, in place of which PEFT would take a fresh one."""
    held.popitem()


def one_more(held: dict[str, Tensor]) -> None:
    """Add a matrix for a layer that the base does not have."""
    held["base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"] = torch.zeros(4, 32)


BEGUN = "init_lora_weights is '.*', which changed the base's own weights .* `pointsman convert --to lora`"
BROKEN: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {  # file, what becomes of it, what is told
    "another rank": (
        artefact.WEIGHTS,
        rewritten(lambda held: held.update({name: w.new_zeros(7, 32) for name, w in held.items()})),
        r"does not hold what adapter_config\.json says: 8 have another shape, as .*, 7 × 32 where 4 × 32",
    ),
    "one matrix less": (artefact.WEIGHTS, rewritten(one_less), "1 of 8 weights are missing, as base_model"),
    "one matrix more": (artefact.WEIGHTS, rewritten(one_more), r"1 are of another model, as .*layers\.9\."),
    "a rank that is not the weights'": (
        artefact.WEIGHTS,
        rewritten(
            lambda held: held.update({name: w[:1] for name, w in held.items() if "v_proj.lora_A" in name})
        ),
        r"2 have another shape, as .*v_proj\.lora_A\.weight, 1 × 32 where 2 × 32 is said",
    ),
    "weights cut short": (
        artefact.WEIGHTS,
        lambda whole: whole[: len(whole) // 2],
        r"bytes\) is broken or cut short",
    ),
    "no config": (artefact.CONFIG, lambda _: b"{", "can't be read: "),
    "nested config": (artefact.CONFIG, lambda _: b"[" * 100_000, "can't be read: "),
    "no rank": (artefact.CONFIG, changed(r="x"), "r: Input should be a valid integer, .* found 'x'"),
    "no targets": (artefact.CONFIG, changed(target_modules=None), "names no target_modules"),
    "odd targets": (
        artefact.CONFIG,
        changed(target_modules=7),
        "target_modules: Input should be a valid tuple, found 7",
    ),
    "no kind of PEFT's": (
        artefact.CONFIG,
        changed(peft_type="NOPE"),
        "can't be read: peft_type is 'NOPE', of which PEFT has none; copy it anew",
    ),
    "pissa's": (artefact.CONFIG, changed(init_lora_weights="pissa"), BEGUN),
    "pissa's, found in rounds": (artefact.CONFIG, changed(init_lora_weights="pissa_niter_4"), BEGUN),
    "olora's": (artefact.CONFIG, changed(init_lora_weights="olora"), BEGUN),
    "loftq's": (artefact.CONFIG, changed(init_lora_weights="loftq", loftq_config={"loftq_bits": 4}), BEGUN),
    "not finite": (
        artefact.WEIGHTS,
        rewritten(lambda held: held[min(held)].view(-1)[5:6].fill_(math.nan)),
        r"base_model\.\S+\.lora_A\.weight holds a number that is NaN or infinite; train it anew",
    ),
    "manifest cut short": (artefact.MANIFEST, lambda whole: whole[:-9], "Invalid JSON: "),
}


@pytest.mark.parametrize("begun", ["gaussian", "eva", "orthogonal"])
def test_how_the_matrices_began_is_no_matter_where_the_base_is_as_it_was(
    recipe: Recipe, first: Path, tmp_path: Path, begun: str
) -> None:
    made = []
    for name, init in (("plain", True), ("other", begun)):
        folder = shutil.copytree(first, tmp_path / f"first {name}")
        config = folder / artefact.CONFIG
        config.write_bytes(changed(init_lora_weights=init)(config.read_bytes()))
        path = recipe(name=name, init_adapter=str(folder), lora=None, **{"train.steps": 1})
        assert check.check(path, [], quiet).steps == 1
        made.append((run.train(path, runs=tmp_path, report=quiet) / artefact.WEIGHTS).read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_adapter_is_named_with_its_file(
    recipe: Recipe, first: Path, tmp_path: Path, how: str
) -> None:
    """By the check and by the run, in the same words."""
    name, change, told = BROKEN[how]
    broken = shutil.copytree(first, tmp_path / "broken")
    (broken / name).write_bytes(change((broken / name).read_bytes()))
    path = recipe(name="second", init_adapter=str(broken), lora=None)
    said = []
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(AdapterError, match=rf"^init_adapter {broken}.*/{name}.*{told}") as caught:
            begin()
        said.append(str(caught.value))
    assert said[0] == said[1]
