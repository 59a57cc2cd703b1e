"""Every stage that trains an adapter has the same refinements of it: in the check, the run and the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS
from tests.training.stages import Written
from tests.training.test_convert import registered
from tests.training.test_run import quiet
from training import run
from training.errors import AdapterError, BaseError
from training.methods import lora as adapters
from training.models import base as bases
from training.preflight import check
from training.recipe import RmRecipe
from training.rm import stage as rm
from training.runs.estimate import Estimate

REFINED: dict[str, Any] = {
    "rank": 4,
    "alpha": 12,
    "targets": ["q_proj", "up_proj"],
    "rslora": True,
    "rank_pattern": {"q_proj": 6},
    "alpha_pattern": {"layers.1.mlp.up_proj": 5},
}
RANKS = {"q_proj": 6, "up_proj": 4}


@pytest.mark.parametrize("kind", ["cpt", "dpo", "kto", "simpo", "ppo", "grpo", "rloo"])
def test_the_adapter_is_refined_as_sfts_and_served_as_it_is(
    written: Written, tmp_path: Path, kind: str
) -> None:
    varied = (
        {"sampling.temperature": 4.0} if kind in ("ppo", "grpo", "rloo") else {}
    )  # or all are worth as much
    path = written(kind, "served", lora=REFINED, **varied)
    expected = check.check(path, [], quiet)
    assert expected.served.startswith("an adapter of rank 6, as it is")
    made = run.train(path, runs=tmp_path, report=quiet)
    held = load_file(made / artefact.WEIGHTS)
    assert {name.split(".")[-3]: w.shape[0] for name, w in held.items() if ".lora_A." in name} == RANKS
    assert all(weight.any() for weight in held.values())  # each has learned
    assert isinstance(expected.needs, Estimate)
    assert expected.needs.trainable == sum(weight.numel() for weight in held.values())
    config = json.loads((made / artefact.CONFIG).read_bytes())
    assert (config["use_rslora"], config["alpha_pattern"]) == (True, REFINED["alpha_pattern"])
    base = Path(artefact.read_manifest(made).base_model)
    made.rename(made.parent / "served")
    assert registered(tmp_path / "served", base, tmp_path).manifest.stage == path_stage(kind)


def path_stage(kind: str) -> str:
    """The stage that a kind of recipe is of."""
    return {"kto": "dpo", "simpo": "dpo", "rloo": "grpo"}.get(kind, kind)


def test_a_reward_models_update_is_on_its_targets_alone(written: Written, base: Path, tmp_path: Path) -> None:
    made = run.train(written("rm", "judge", lora=REFINED), runs=tmp_path, report=quiet)
    before = bases.load_model(str(base)).state_dict()
    changed = {
        name.split(".")[-2]
        for name, weight in load_file(made / "model.safetensors").items()
        if name in before and not weight.equal(before[name].to(weight.dtype))
    }
    assert changed == {"q_proj", "up_proj"}
    plan = RmRecipe.model_validate(artefact.read_manifest(made).recipe)
    model: PeftModel = rm.model(plan, bases.load_tokenizer(str(base)))
    assert {name.split(".")[-1]: a.shape[0] for name, (a, _) in adapters.matrices(model).items()} == RANKS


@pytest.mark.parametrize("kind", ["rm", "dpo", "ppo", "grpo"])
def test_what_is_not_of_the_base_is_refused_before_and_by_a_run(
    written: Written, tmp_path: Path, kind: str
) -> None:
    for lora, problem in (
        (
            {"targets": ["query", "score"]},
            r"called 'query', 'score'; it has down_proj, .* q_proj, up_proj, v_proj$",
        ),
        ({"rank_pattern": {"query": 4}}, r"lora\.rank_pattern: 'query' is the name of no layer"),
    ):
        path = written(kind, "refused", lora=lora)
        for begin in (lambda p: check.check(p, [], quiet), lambda p: run.train(p, runs=tmp_path)):
            with pytest.raises(BaseError, match=problem):
                begin(path)


def test_a_rank_of_a_pattern_that_nobody_serves_is_refused(recipe: Recipe) -> None:
    path = recipe(PAIRS, form="pairs", stage="dpo", lora={"rank_pattern": {"q_proj": 600}})
    with pytest.raises(AdapterError, match=r"^lora\.rank_pattern\.q_proj is 600: vLLM"):
        check.check(path, [], quiet)
