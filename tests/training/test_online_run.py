"""ppo, grpo and rloo from recipe to artefact: repeatable, on record, and they raise the reward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.asking import STAGES, Online
from tests.training.asking import online as online  # a fixture
from tests.training.test_resume import untimed
from tests.training.test_run import metrics, quiet
from training import base as bases
from training import run


@pytest.mark.parametrize("kind", STAGES)
def test_a_run_leaves_an_adapter_and_what_it_cost(
    online: Online, base: Path, tmp_path: Path, kind: str
) -> None:
    said: list[str] = []
    path = online(kind, **{"train.steps": 10, "train.evaluate_every": 6, "train.learning_rate": 0.02})
    made = run.train(path, runs=tmp_path, report=said.append)
    manifest = artefact.read_manifest(made)
    assert (manifest.alias, manifest.stage, manifest.parent) == ("tiny", "ppo" if kind == "ppo" else "grpo", None)
    assert manifest.base == artefact.identify_base(base)
    assert list(manifest.data) == [str(tmp_path / "tiny.jsonl")]
    state = load_file(made / artefact.WEIGHTS)
    assert all("lora_" in name for name in state)  # no value head, no reference
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    PeftModel.from_pretrained(bases.load_model(str(base)), str(made))

    lines = metrics(tmp_path / "tiny")
    evaluated = [line for line in lines if "eval_reward" in line]
    assert [line["step"] for line in evaluated] == [0, 6, 10]
    assert evaluated[0]["eval_kl"] == pytest.approx(0, abs=1e-6)  # it begins as its reference
    assert evaluated[-1]["eval_kl"] > 0.01
    assert manifest.metrics["eval_reward"] == evaluated[-1]["eval_reward"]
    assert manifest.metrics["eval_reward_before"] == evaluated[0]["eval_reward"]
    learned = [line["reward"] for line in lines if "reward" in line]
    assert len(learned) == 10
    assert sum(learned[5:]) > sum(learned[:5])
    assert (tmp_path / "tiny" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "before" in said[-1]


@pytest.mark.parametrize("kind", STAGES)
def test_the_same_seed_gives_the_same_bytes(online: Online, tmp_path: Path, kind: str) -> None:
    path = online(kind)
    first = run.train(path, runs=tmp_path / "a", report=quiet)
    second = run.train(path, runs=tmp_path / "b", report=quiet)
    assert artefact.version_of(first) == artefact.version_of(second)
    assert untimed(metrics(tmp_path / "a" / "tiny")) == untimed(metrics(tmp_path / "b" / "tiny"))
    other = run.train(path, overrides=["seed=1"], runs=tmp_path / "c", report=quiet)
    assert artefact.version_of(other) != artefact.version_of(first)
