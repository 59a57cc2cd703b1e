"""What a recipe of ppo or grpo can't be, and what stops a run before a model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.asking import QUESTIONS, Online
from tests.training.conftest import Recipe
from training import recipe as recipes
from training import run
from training.errors import BaseError, NothingToLearn, RewardError
from training.models import base as bases
from training.preflight import readiness


def problem(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        recipes.load(path)
    return str(caught.value)


def test_recipes_that_can_not_be(online: Online) -> None:
    assert "lora.dropout: must be 0 here" in problem(online("ppo", **{"lora.dropout": 0.1}))
    rule = {"rule": "tests.training.asking:vowels"}
    assert "two are called vowels" in problem(online("grpo", rewards=[rule, rule]))
    assert "must be a multiple of generations (4)" in problem(online("grpo", **{"train.batch_rows": 3}))
    assert "must be a multiple of iterations (3)" in problem(online("rloo", iterations=3))
    assert "minibatch_rows (9) is more than rollout_rows (8)" in problem(
        online("ppo", **{"train.minibatch_rows": 9})
    )
    assert "unknown key; did you mean 'lam'" in problem(online("ppo", **{"train.lamb": 0.9}))


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_what_can_not_be_rewarded_loads_no_model(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(bases, "load_model", lambda name: pytest.fail(f"the model {name} was loaded"))
    path = online(kind, rewards=[{"model": str(tmp_path / "none")}])
    with pytest.raises(RewardError, match="no such folder"):
        run.train(path, runs=tmp_path, report=lambda _: None)
    with pytest.raises(NothingToLearn, match="1 prompts are left"):
        run.train(online(kind, QUESTIONS[:1]), runs=tmp_path, report=lambda _: None)


def test_a_rule_that_fails_leaves_no_artefact(online: Online, tmp_path: Path) -> None:
    path = online("ppo", rewards=[{"rule": "tests.training.asking:broken"}])
    with pytest.raises(RewardError, match="the rule broken failed"):
        run.train(path, runs=tmp_path, report=lambda _: None)
    assert not (tmp_path / "tiny" / "artefact").exists()


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_rewards_that_say_nothing_of_any_held_out_answer_end_the_run(
    online: Online, tmp_path: Path, kind: str
) -> None:
    path = online(kind, rewards=[{"rule": "tests.training.asking:silent"}])
    with pytest.raises(RewardError, match=r"rewards: silent gave None or NaN for each of the .* held-out"):
        run.train(path, runs=tmp_path, report=lambda _: None)


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_prompts_that_are_given_twice_are_refused(online: Online, kind: str) -> None:
    written = {"generator": "tests.training.asking:questions", "rows": 4}
    said = problem(online(kind, **{"data.sources": [written, written]}))
    assert "data.sources.1: tests.training.asking:questions" in said
    assert "is data.sources.0 already" in said
    assert "the weight 2" in said


def test_a_step_needs_enough_prompts(online: Online, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match=r"a step asks 2 prompts .* and there are 1"):
        run.train(online("grpo", QUESTIONS[:2]), runs=tmp_path, report=lambda _: None)
    with pytest.raises(NothingToLearn, match=r"a step asks 2 prompts .* and there are 1"):
        readiness.look(recipes.load(online("grpo", QUESTIONS[:2])), lambda _: None)  # type: ignore[arg-type]


def test_an_adapter_of_another_base_is_refused(online: Online, recipe: Recipe, tmp_path: Path) -> None:
    other = run.train(recipe(name="other"), runs=tmp_path, report=lambda _: None)
    with pytest.raises(BaseError, match="was trained on another base"):
        run.train(online("ppo", init_adapter=str(other)), runs=tmp_path, report=lambda _: None)
