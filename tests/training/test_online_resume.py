"""Killed and started again, ppo, grpo and rloo end as runs that nobody disturbed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.asking import QUESTIONS, Online
from tests.training.disturbed import assert_same, break_off, gone_on, kill_after, untimed
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import LossNotFinite, RunConflict
from training.grpo import trl
from training.ppo import learner, losses

PPO = {
    "train.steps": 36,
    "train.save_every": 7,
    "train.evaluate_every": 16,
    "train.schedule": "linear",
    "train.rollout_rows": 6,
    "value.warmup_steps": 2,
    "kl.target": 4.0,
}
GROUPS = {"train.steps": 14, "train.save_every": 4, "train.evaluate_every": 5, "iterations": 2}


def has_learned(adapter: Path) -> bool:
    """Whether an adapter says anything; a fresh one's B is zero, and lost weights would not be missed."""
    weights = load_file(adapter / artefact.WEIGHTS)
    return any(bool(weight.any()) for name, weight in weights.items() if "lora_B" in name)


def test_a_killed_run_goes_on_and_ends_the_same(online: Online, tmp_path: Path) -> None:
    path = online("ppo", **PPO)
    runs = tmp_path / "killed"
    said = kill_after(14, path, runs)
    told: list[str] = []
    whole = run.train(path, runs=tmp_path / "whole", report=told.append)
    assert_same(gone_on(path, runs), whole)
    coefficients = {line["kl_coefficient"] for line in metrics(runs / "tiny") if "kl_coefficient" in line}
    assert len(coefficients) > 20  # the controller had something to remember
    before = [line for line in said.splitlines() if not line.startswith("step ")]
    begun = "tiny: 36 steps"
    assert before == ["loading the training libraries", *told[: told.index(begun)], begun]


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_groups_go_on_too(online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = online(kind, QUESTIONS[:10], **GROUPS)  # 2 prompts a step, so epochs are short
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    assert has_learned(tmp_path / "whole" / "tiny" / "checkpoints" / "checkpoint-12")
    trainer: Any = {"grpo": trl.Grpo, "rloo": trl.Rloo}[kind]
    break_off(13, trainer, path, tmp_path, monkeypatch)
    assert_same(gone_on(path, tmp_path, after=12), whole)


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_a_run_killed_after_its_last_step_trains_no_further(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = online(kind) if kind == "ppo" else online(kind, QUESTIONS[:10], **GROUPS)
    made = run.train(path, runs=tmp_path, report=quiet)
    assert has_learned(made)
    version, lines = artefact.version_of(made), metrics(tmp_path / "tiny")
    shutil.rmtree(made)

    def step(*_: Any, **__: Any) -> None:
        pytest.fail("one more step was trained")

    monkeypatch.setattr(learner.Learner, "step", step)
    monkeypatch.setattr(trl.Grpo, "training_step", step)
    again = run.train(path, runs=tmp_path, report=quiet)
    assert artefact.version_of(again) == version
    assert untimed(metrics(tmp_path / "tiny")) == untimed(lines)


def test_a_loss_that_is_no_number_stops_the_run_and_spoils_no_checkpoint(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = online("ppo", **{"train.steps": 6, "train.save_every": 2})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    real = losses.policy_terms
    calls = 0

    def broken(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(*args, **kwargs) * (float("nan") if calls == 38 else 1)

    with monkeypatch.context() as patch:
        patch.setattr(losses, "policy_terms", broken)
        with pytest.raises(LossNotFinite, match=r"the policy loss is nan at step 5; a lower learning_rate"):
            run.train(path, runs=tmp_path, report=quiet)
    checkpoints = tmp_path / "tiny" / "checkpoints"
    assert sorted(entry.name for entry in checkpoints.iterdir()) == ["checkpoint-2", "checkpoint-4"]
    gone_on = run.train(path, runs=tmp_path, report=quiet)
    assert artefact.version_of(gone_on) == artefact.version_of(whole)


def test_what_a_run_began_with_must_still_be_there(online: Online, tmp_path: Path) -> None:
    path = online("ppo")
    shutil.rmtree(run.train(path, runs=tmp_path, report=quiet))
    online("ppo", QUESTIONS[:30])  # other rows in the same file
    with pytest.raises(RunConflict, match=r"was begun with other rows of .*tiny\.jsonl"):
        run.train(path, runs=tmp_path, report=quiet)
