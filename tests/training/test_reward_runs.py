"""Reward models, from recipe to score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS, loaded, rm
from tests.training.test_run import metrics, quiet
from training import run
from training.data.preparing import prepare_pairs
from training.errors import RewardError
from training.models.reward_model import RewardModel


def conversation(row: dict[str, Any], answer: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[answer]}]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_reward_model_scores_as_it_was_evaluated(
    method: str, recipe: Recipe, base: Path, tmp_path: Path
) -> None:
    options = {"method": method, **({"lora": None} if method == "full" else {})}
    path = rm(recipe, **options, **{"train.steps": 30})
    lines: list[str] = []
    made = run.train(path, runs=tmp_path, report=lines.append)
    found = artefact.read_manifest(made).metrics
    assert found["eval_accuracy"] == 1.0
    assert any(line.startswith("tiny: held-out accuracy 1.000") for line in lines)
    state = load_file(made / "model.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    assert not [name for name in state if "lora" in name or "modules_to_save" in name]

    model = RewardModel.load(made)
    chosen, rejected = (
        model.score([conversation(row, which) for row in PAIRS]) for which in ("chosen", "rejected")
    )
    assert chosen.shape == (30,)
    assert (chosen > rejected).all()
    held_out = prepare_pairs.pairs(loaded(path), base, quiet).validation
    scores = [
        model.score_tokens([part.take(np.array([i])).ids.tolist() for i in range(len(part))])
        for part in (held_out.chosen, held_out.rejected)
    ]
    assert (scores[0] - scores[1]).mean() == pytest.approx(found["eval_margin"], abs=1e-5)
    assert np.concatenate(scores).std() == pytest.approx(found["eval_score_std"], abs=1e-5)


def test_a_score_is_the_same_in_any_batch(recipe: Recipe, tmp_path: Path) -> None:
    model = RewardModel.load(run.train(rm(recipe), runs=tmp_path, report=quiet))
    said = [conversation(row, which) for row in PAIRS for which in ("chosen", "rejected")]
    alone = [float(model.score([one])[0]) for one in said[:7]]
    assert model.score(said)[:7] == pytest.approx(alone, abs=1e-5)
    assert model.score([]).shape == (0,)


def test_what_is_no_reward_model_is_refused(base: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"holds no model\.safetensors; .*, or train one .* stage rm"):
        RewardModel.load(tmp_path)
    with pytest.raises(
        RewardError, match=r"gives 2 numbers by its config\.json, and a reward model gives one"
    ):
        RewardModel.load(base)


def test_margins_of_the_rows_count_if_wanted(recipe: Recipe, tmp_path: Path) -> None:
    rows = [{**row, "margin": 1.0} for row in PAIRS]
    losses = {}
    for margins in (True, False):
        path = recipe(rows, form="pairs", stage="rm", name=f"rm-{margins}".lower(), margins=margins, centre=0)
        run.train(path, runs=tmp_path, report=quiet)
        losses[margins] = metrics(tmp_path / path.stem)[0]["loss"]
    assert losses[False] == pytest.approx(np.log(2), abs=0.02)  # scores begin around 0
    assert losses[True] == pytest.approx(np.log(1 + np.e), abs=0.03)  # -log sigmoid(0 - 1)
