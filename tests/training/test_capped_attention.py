"""A base that caps attention's scores, as Gemma 2 does, is loaded with its caps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from tests.training.test_methods import of_shape
from training.models import base as bases
from training.models import reward_model

IDS = torch.arange(10, 50)[None]


@pytest.fixture
def capped(tmp_path: Path, base: Path) -> Path:
    """Scores are within ±0.05 of zero; without caps they are of about 1."""
    return of_shape(tmp_path / "gemma2", base, "gemma2")


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=IDS, use_cache=False).logits
    return found


def as_transformers(kind: Any, folder: Path, attention: str) -> torch.Tensor:
    return logits(kind.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention))


def test_a_base_is_trained_with_its_caps(capped: Path) -> None:
    found = logits(bases.load_model(str(capped)))
    torch.testing.assert_close(found, as_transformers(AutoModelForCausalLM, capped, "eager"))
    other = as_transformers(AutoModelForCausalLM, capped, "sdpa")  # which has none
    assert (found - other).abs().max() > 0.01


def test_a_reward_model_scores_with_its_caps(capped: Path, tmp_path: Path) -> None:
    tokenizer = bases.load_tokenizer(str(capped))
    model = reward_model.new(str(capped), int(tokenizer.pad_token_id or 0), seed=0)
    folder = tmp_path / "reward"
    reward_model.save(model, tokenizer, folder)
    whole = as_transformers(AutoModelForSequenceClassification, folder, "eager")
    row = IDS[0].tolist()
    for scores in (logits(model), reward_model.RewardModel.load(folder).score_tokens([row])):
        assert float(scores.flatten()[0]) == pytest.approx(float(whole), rel=0.01)  # bfloat16 between
