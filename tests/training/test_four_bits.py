"""Adapters of dpo, rm and cpt on a base in 4 bits, as sft's qlora: what is measured, saved, foretold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pointsman import artefact
from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.continued import Continued
from tests.training.preferences import PAIRS, dpo, loaded, rm
from tests.training.stages import Written
from tests.training.test_convert import registered
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.convert import Options, convert
from training.cpt import stage as cpt
from training.data.preparing import prepare_pairs
from training.dpo import stage as preferring
from training.methods import choice
from training.methods import lora as adapters
from training.models import base as bases
from training.models import logprobs
from training.models.reward_model import RewardModel
from training.preflight import check, outline
from training.recipe import CptRecipe, DpoRecipe, RmRecipe
from training.rm import stage as rewarding
from training.runs import estimate
from training.runs.estimate import Estimate
from training.trainers import four_bits

KINDS = ("cpt", "dpo", "dpo from an adapter", "kto", "simpo")
FOUR = {"method": "qlora"}


def in_4_bits(model: Any) -> set[str]:
    """The last names of the layers of ``model`` that are held in 4 bits."""
    names = [name for name, weight in model.named_parameters() if type(weight).__name__ == "Params4bit"]
    return {name.removesuffix(".base_layer.weight").rpartition(".")[2] for name in names}


LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_learned_on_4_bits_is_served_on_the_base_in_full(
    written: Written, base: Path, tmp_path: Path, kind: str
) -> None:
    path = written(kind, "served", **FOUR)
    expected = check.check(path, [], quiet)
    assert expected.served.startswith("an adapter of rank ")
    made = run.train(path, runs=tmp_path, report=quiet)
    manifest = artefact.read_manifest(made)
    assert manifest.method == "qlora"
    held = load_file(made / artefact.WEIGHTS)
    assert all(weight.any() for name, weight in held.items() if "lora_B" in name)
    assert isinstance(expected.needs, Estimate)
    assert expected.needs.trainable == sum(weight.numel() for weight in held.values())
    found = convert(made, "base", tmp_path / "whole", Options(), quiet)
    assert 0 < found.kl < 1e-2  # between the base in 4 bits and in full
    assert artefact.read_manifest(tmp_path / "whole").converted_from == "qlora"
    made.rename(made.parent / "served")
    assert registered(tmp_path / "served", base, tmp_path).manifest.stage == manifest.stage


def test_dpo_is_measured_as_it_learned_and_its_reference_is_in_4_bits_too(
    recipe: Recipe, tokenizer: Any, tmp_path: Path
) -> None:
    path = dpo(recipe, **FOUR)
    plan = loaded(path)
    assert isinstance(plan, DpoRecipe)
    begun = preferring.model(plan, tokenizer)
    assert in_4_bits(begun) == LINEAR
    made = run.train(path, runs=tmp_path, report=quiet)
    rows = prepare_pairs.pairs(plan, plan.base, quiet).validation
    pad = int(tokenizer.pad_token_id)
    own = adapters.load(choice.plain_base(plan), made)
    numbers = artefact.read_manifest(made).metrics
    with torch.no_grad():
        assert float(logprobs.answers(own, rows.chosen, pad).mean()) == pytest.approx(
            numbers["eval_chosen_logp"], abs=2e-4
        )
        with own.disable_adapter():
            start = float(logprobs.answers(own, rows.chosen, pad).mean())
    assert start == pytest.approx(numbers["eval_chosen_logp_start"], abs=2e-4)
    full = bases.load_model(plan.base).eval()
    assert abs(float(logprobs.answers(full, rows.chosen, pad).mean()) - start) > 1e-3
    assert numbers["eval_loss"] < np.log(2)


def test_a_reward_model_learned_on_4_bits_is_whole_and_scores_as_it_was_evaluated(
    recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    path = rm(recipe, **FOUR, **{"train.steps": 30})
    plan = loaded(path)
    assert isinstance(plan, RmRecipe)
    assert in_4_bits(rewarding.model(plan, tokenizer)) == LINEAR
    made = run.train(path, runs=tmp_path, report=quiet)
    found = artefact.read_manifest(made).metrics
    state = load_file(made / "model.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    before = bases.load_model(str(base)).state_dict()
    kept = {
        name for name, weight in before.items() if torch.equal(state.get(name, weight * 0), weight.bfloat16())
    }
    assert "model.embed_tokens.weight" in kept
    assert not [name for name in kept if "_proj" in name]  # each has the update, and no 4 bits more
    for name, weight in before.items():
        if "_proj" in name:
            change = (state[name].float() - weight).double()
            values = torch.linalg.svdvals(change)
            assert float(values[4:].norm()) < 0.05 * float(values.norm()), name

    model = RewardModel.load(made)
    held_out = prepare_pairs.pairs(plan, base, quiet).validation
    scores = [
        model.score_tokens([part.take(np.array([i])).ids.tolist() for i in range(len(part))])
        for part in (held_out.chosen, held_out.rejected)
    ]
    assert (scores[0] - scores[1]).mean() == pytest.approx(found["eval_margin"], abs=1e-5)
    assert found["eval_accuracy"] == 1.0


@pytest.mark.parametrize("kind", [*KINDS, "rm"])
def test_it_learns_the_same_in_bfloat16(written: Written, tmp_path: Path, kind: str) -> None:
    losses = []
    for precision in ("fp32", "bf16"):
        path = written(kind, precision, **FOUR, **{"train.precision": precision})
        made = run.train(path, runs=tmp_path, report=quiet)
        losses.append(artefact.read_manifest(made).metrics["eval_loss"])
    assert losses[1] == pytest.approx(losses[0], abs=0.02)


@pytest.mark.parametrize("kind", ["cpt", "dpo"])
def test_what_is_counted_without_weights_is_what_is_held(written: Written, tokenizer: Any, kind: str) -> None:
    plan = recipes.load(written(kind, "counted", **FOUR))
    assert isinstance(plan, CptRecipe | DpoRecipe)
    made = cpt.model(plan, tokenizer) if isinstance(plan, CptRecipe) else preferring.model(plan, tokenizer)
    before = estimate.of(outline.of(plan), plan)
    assert before == estimate.of(made, plan)
    full = plan.model_copy(update={"method": "lora", "qlora": None})
    assert before.weights < 0.7 * estimate.of(outline.of(full), full).weights


def test_that_rm_needs_the_base_in_full_at_the_end_is_counted(recipe: Recipe, base: Path) -> None:
    four, full = (
        check.check(rm(recipe, **{"method": method}), [], quiet).needs for method in ("qlora", "lora")
    )
    assert isinstance(four, Estimate)
    assert isinstance(full, Estimate)
    assert four.merging == 4 * sum(w.numel() for w in bases.load_model(str(base)).parameters())
    assert (full.merging, "the base in full" in str(full)) == (0, False)
    assert "or, at the end, the base in full" in str(four)
    assert four.weights < 0.7 * full.weights


def test_what_learns_is_float32_again_behind_trls_rounding(recipe: Recipe, tokenizer: Any) -> None:
    model = preferring.model(recipes.load(dpo(recipe, **FOUR)), tokenizer)  # type: ignore[arg-type]
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.bfloat16)
    four_bits.learn_in_float32(model)
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}


def test_cpt_measures_beside_the_base_in_4_bits(continued: Continued, tmp_path: Path) -> None:
    path = continued(alias="tiny", **FOUR)
    run.train(path, runs=tmp_path, report=quiet)
    first, last = metrics(tmp_path / "tiny")[0], metrics(tmp_path / "tiny")[-1]
    assert first["step"] == 0
    (name,) = [key for key in first if key not in ("step", "epoch")]
    assert last[name] < first[name]


@pytest.mark.parametrize(
    ("stage", "options", "told"),
    [
        ("dpo", {"qlora": {"paged": False}}, "qlora: belongs to the method qlora, not to the method lora"),
        ("rm", {"method": "full", "lora": None, "qlora": {}}, "not to the method full; remove it"),
        ("dpo", {"method": "full"}, "method: .*found 'full'"),
        ("cpt", FOUR, "alias: the method qlora gives an adapter, .*`pointsman convert --to base`"),
        ("cpt", FOUR | {"vocabulary": {"pieces": 8}}, "vocabulary: new pieces learn in the base itself"),
        ("cpt", {"qlora": {}}, "qlora: belongs to the method qlora, not to the method full"),
    ],
)
def test_options_that_do_not_belong_are_refused(
    recipe: Recipe, continued: Continued, stage: str, options: dict[str, Any], told: str
) -> None:
    pairs = {"form": "pairs", "stage": stage, **options}
    path = continued(**options) if stage == "cpt" else recipe(PAIRS, **pairs)
    with pytest.raises(DocumentError, match=told):
        recipes.load(path)


def test_its_options_are_those_of_sft(recipe: Recipe, continued: Continued) -> None:
    for path in (
        dpo(recipe, **FOUR, qlora={"paged": False, "double_quantisation": False}),
        rm(recipe, name="rm", **FOUR, qlora={"paged": False, "double_quantisation": False}),
        continued(name="cpt", alias="x", **FOUR, qlora={"paged": False, "double_quantisation": False}),
    ):
        plan = recipes.load(path)
        assert isinstance(plan, DpoRecipe | RmRecipe | CptRecipe)
        assert plan.qlora is not None
        assert (plan.paged, plan.qlora.double_quantisation) == (False, False)
        assert plan.lora is not None
