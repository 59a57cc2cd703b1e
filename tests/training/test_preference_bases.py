"""Bases of other families learn from preferences."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.preferences import Options, dpo, rm
from tests.training.test_run import quiet
from training import run

SHAPE: Options = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "head_dim": 16,
}


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "mistral", "gemma"])
def test_every_family_of_bases_learns(
    family: str, recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    other = tmp_path / family
    shutil.copytree(base, other)
    (other / "model.safetensors").unlink()
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), eos_token_id=1, pad_token_id=0, bos_token_id=None, **SHAPE
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(other)
    steps = {"train.steps": 2, "train.schedule": "constant"}
    path = rm(recipe, name="rm", base=str(other), **steps)
    found = artefact.read_manifest(run.train(path, runs=tmp_path, report=quiet)).metrics
    assert found["eval_margin"] > 0
    path = dpo(recipe, name="dpo", base=str(other), **steps)
    found = artefact.read_manifest(run.train(path, runs=tmp_path, report=quiet)).metrics
    gained = found["eval_chosen_logp"] - found["eval_chosen_logp_start"]
    assert gained > found["eval_rejected_logp"] - found["eval_rejected_logp_start"]
