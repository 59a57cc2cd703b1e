"""What a run in bfloat16 holds and computes otherwise than one in float32, and that it learns the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.test_methods import METHODS, held_out_loss
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.methods import choice, lora, lora_product, under
from training.models import base as bases
from training.models import precision
from training.recipe import Lora, SftRecipe
from training.trainers import four_bits

IDS = torch.arange(10, 34)[None]


def adapted(base: Path, dropout: float = 0, **kind: Any) -> Any:
    """The tiny base with an adapter that says something."""
    model = lora.add(bases.load_model(str(base)), Lora(rank=4, alpha=12, dropout=dropout), 0, **kind)
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_B." in name:
                weight.copy_(torch.randn(weight.shape, generator=drawn) / 10)
    return model


def learned(model: Any, *, autocast: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits and gradients of one batch."""
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = model(input_ids=IDS, labels=IDS)
    found.loss.backward()
    return found.logits.float(), {
        name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad
    }


def apart(found: tuple[Tensor, dict[str, Tensor]], truth: tuple[Tensor, dict[str, Tensor]]) -> float:
    """The length of the difference of logits and gradients over that of the ``truth``."""
    ours = torch.cat([found[0].flatten(), *(found[1][name].flatten() for name in truth[1])])
    theirs = torch.cat([truth[0].flatten(), *(truth[1][name].flatten() for name in truth[1])])
    return float((ours - theirs).detach().norm() / theirs.detach().norm())


def test_what_does_not_learn_is_held_in_bfloat16(recipe: Recipe) -> None:
    for given, held in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        plan = recipes.load(recipe(**{"train.precision": given}))
        assert isinstance(plan, SftRecipe)
        model = choice.held(plan, choice.plain_base(plan))
        types = {weight.requires_grad: weight.dtype for weight in model.parameters()}
        assert types == {True: torch.float32, False: held}


def test_weights_that_are_cut_stay_of_one_type(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = recipes.load(recipe(**{"train.precision": "bf16"}))
    assert isinstance(plan, SftRecipe)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    model = choice.held(plan, choice.plain_base(plan))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["float32", "nf4"])
def test_the_product_is_as_near_the_truth_as_pefts(base: Path, recipe: Recipe, kind: str) -> None:
    def fresh() -> Any:
        if kind == "float32":
            return adapted(base)
        plan = recipes.load(recipe(method="qlora", **{"train.precision": "bf16"}))
        assert isinstance(plan, SftRecipe)
        return lora.add(choice.plain_base(plan), Lora(rank=4, alpha=12), 0)

    truth = learned(fresh(), autocast=False)
    theirs = apart(learned(fresh(), autocast=True), truth)
    ours = apart(learned(lora_product.use(fresh()), autocast=True), truth)
    held = apart(learned(lora_product.use(precision.hold(fresh())), autocast=True), truth)
    assert 0 < ours < 1.2 * theirs
    assert 0 < held < 2 * theirs
    assert theirs < 0.02


def test_in_float32_the_product_is_pefts_bit_for_bit(base: Path) -> None:
    logits, gradients = learned(lora_product.use(adapted(base)), autocast=False)
    theirs, expected = learned(adapted(base), autocast=False)
    assert torch.equal(logits, theirs)
    assert all(torch.equal(gradients[name], expected[name]) for name in expected)


def test_in_float32_nothing_is_held_otherwise(base: Path) -> None:
    model = adapted(base)
    assert under.hold(model, bf16=False) is model
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not any("forward" in vars(layer) for layer in model.modules() if hasattr(layer, "lora_A"))


def test_a_base_that_learns_is_not_held_in_bfloat16(base: Path) -> None:
    model = under.hold(bases.load_model(str(base)).requires_grad_(False), bf16=True)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_an_adapter_is_merged_into_a_held_base_by_one_rounding(base: Path) -> None:
    model = adapted(base)
    update = {name: b @ a for name, (a, b) in lora.matrices(model).items()}
    lora.settle(under.hold(model, bf16=True))
    merged = lora.unwrapped(model)
    for name, weight in bases.load_model(str(base)).named_parameters():
        whole = weight.bfloat16().float()
        if (changed := update.get(name.removesuffix(".weight"))) is not None:
            whole = whole + changed
        found = merged.get_parameter(name)
        assert found.dtype == torch.float32
        otherwise = (found != whole.bfloat16().float()).float().mean()
        assert float(otherwise) < 0.001  # the products' own last digits; two roundings change 1 in 30


def test_without_its_adapter_the_product_is_the_bases(base: Path) -> None:
    model = lora_product.use(adapted(base))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        with model.disable_adapter():
            without = model(input_ids=IDS).logits
        assert torch.equal(without, bases.load_model(str(base))(input_ids=IDS).logits)
        assert not torch.equal(without, model(input_ids=IDS).logits)


def test_a_layer_that_does_more_than_a_product_keeps_pefts(base: Path) -> None:
    for kind in ({"use_dora": True}, {"dropout": 0.5}):
        model = adapted(base, **kind)
        assert apart(
            learned(lora_product.use(model).eval(), autocast=True),
            learned(adapted(base, **kind).eval(), autocast=True),
        ) == pytest.approx(0)


def test_an_optimiser_is_paged_where_a_gpu_would_feel_its_state(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = adapted(base)
    state = 8 * sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    for times, paged in ((99, True), (101, False)):
        card = SimpleNamespace(total_memory=times * state)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, card=card: card)
        assert four_bits.is_worth_paging(model) == paged


@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_the_same_in_bfloat16(recipe: Recipe, tmp_path: Path, method: str) -> None:
    options: dict[str, Any] = {"lora": None} | METHODS[method] | {"data.validation_rows": 4}
    found = {}
    for given in ("fp32", "bf16"):
        path = recipe(name=given, method=method, **options, **{"train.precision": given})
        made = run.train(path, runs=tmp_path, report=quiet)
        manifest = artefact.read_manifest(made)
        plan = SftRecipe.model_validate(manifest.recipe)
        found[given] = held_out_loss(choice.load(plan, made), plan)
        assert manifest.metrics["eval_loss"] == pytest.approx(found[given], abs=0.01)
    assert found["bf16"] == pytest.approx(found["fp32"], abs=0.01)


@pytest.mark.parametrize("asked", ["bf16", "fp16"])
def test_the_recipe_decides_whatever_accelerate_is_told(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    told: list[str] = []
    alone = run.train(recipe(name="alone"), runs=tmp_path, report=told.append)
    assert not [line for line in told if "ACCELERATE_MIXED_PRECISION" in line]
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", asked)
    made = run.train(recipe(name="told"), runs=tmp_path, report=told.append)
    [weights] = alone.glob("*.safetensors")
    assert (made / weights.name).read_bytes() == weights.read_bytes()
    assert f"warning: ACCELERATE_MIXED_PRECISION is {asked}" in "".join(told)
    assert "train.precision, by which this run is fp32" in "".join(told)
